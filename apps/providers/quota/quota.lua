-- The quota store: every operation is one run of this script, atomic over all quotas that it names.
--
-- KEYS[1] is the epoch, which exists once the store contains the last day. Then four keys per quota:
--   facts  (hash) sums, pace, staggered retry ("promised"), not_before, breaker
--   sent   (zset) "id:input:output" by the time of sending
--   flying (zset) id by the time at which its reservation expires
--   hours  (hash) "<hour>n" requests and "<hour>m" money
-- ARGV[1] are the arguments as JSON. Times and durations are whole microseconds, money is millionths of a dollar: all
-- below 2^53, so Lua's numbers hold them exactly. tests/fakes/quota_model.py does the same in Python; a test compares.

local HOUR = 3600000000
local HOURS_COUNTED = 25 -- the current hour and the 24 before it: never less than 24 hours
local MAX_STAGGERED = 128 -- callers that get distinct retry times before the times repeat
local NEVER = 9007199254740991
local DEFAULT_CALL_DURATION = 1000000 -- assumed until the first call has ended
local PROBE_RECHECK = 1000000 -- a caller that waits for a probe retries after this time
local KEEP_FACTS = 26 * HOUR
local MARGIN = 60000000 -- keys expire this much later than their contents

local NUMBERS = {
  "at", "window", "input", "output", "pace_requests", "pace_tokens", "pace_input_tokens", "pace_output_tokens",
  "promised", "took", "not_before", "failures", "succeeded", "open_until", "cooldown", "probe_until",
  "day_hour", "day_requests", "day_money",
}
local METERS = {
  { "requests", function(n, _, _) return n end },
  { "tokens", function(_, i, o) return i + o end },
  { "input_tokens", function(_, i, _) return i end },
  { "output_tokens", function(_, _, o) return o end },
}

local call, floor, max, min = redis.call, math.floor, math.max, math.min
local args = cjson.decode(ARGV[1])
local now = args.now
if not now then
  local time = call("TIME")
  now = time[1] * 1000000 + time[2]
end

local function load_quota(position, limits)
  local first = 2 + 4 * (position - 1)
  local quota = {
    position = position, limits = limits or {}, facts = KEYS[first], sent = KEYS[first + 1],
    flying = KEYS[first + 2], hours = KEYS[first + 3], read = {},
  }
  local values = call("HMGET", quota.facts, unpack(NUMBERS))
  for index, name in ipairs(NUMBERS) do
    quota[name] = tonumber(values[index]) or 0
    quota.read[name] = quota[name]
  end
  return quota
end

local function load_all()
  local quotas = {}
  for position, limits in ipairs(args.quotas) do
    quotas[position] = load_quota(position, limits)
  end
  return quotas
end

local function expire(key, microseconds)
  call("PEXPIRE", key, floor(microseconds / 1000))
end

local function save(quota)
  local changed = {}
  for _, name in ipairs(NUMBERS) do
    if quota[name] ~= quota.read[name] then
      changed[#changed + 1] = name
      changed[#changed + 1] = quota[name]
    end
  end
  if #changed > 0 then
    call("HSET", quota.facts, unpack(changed))
    expire(quota.facts, max(KEEP_FACTS, quota.not_before - now + HOUR))
  end
end

local function entry(id, input, output)
  return string.format("%s:%.0f:%.0f", id, input, output)
end

local function amounts(member)
  local input, output = string.match(member, ":(%d+):(%d+)$")
  return tonumber(input), tonumber(output)
end

-- Counting

local function roll_day(quota)
  local hour = floor(now / HOUR)
  if quota.day_hour == hour then
    return
  end
  quota.day_hour, quota.day_requests, quota.day_money = hour, 0, 0
  local fields = call("HGETALL", quota.hours)
  for index = 1, #fields, 2 do
    local of, kind = string.match(fields[index], "^(%d+)(%a)$")
    if tonumber(of) <= hour - HOURS_COUNTED then
      call("HDEL", quota.hours, fields[index])
    elseif kind == "n" then
      quota.day_requests = quota.day_requests + fields[index + 1]
    else
      quota.day_money = quota.day_money + fields[index + 1]
    end
  end
end

local function count_day(quota, moment, requests, money)
  local hour = floor(moment / HOUR)
  roll_day(quota)
  if hour <= quota.day_hour - HOURS_COUNTED then
    return
  end
  if requests ~= 0 then
    call("HINCRBY", quota.hours, hour .. "n", requests)
    quota.day_requests = quota.day_requests + requests
  end
  if money ~= 0 then
    call("HINCRBY", quota.hours, hour .. "m", money)
    quota.day_money = quota.day_money + money
  end
  expire(quota.hours, KEEP_FACTS)
end

local function expire_old(quota)
  local edge = now - quota.limits.window
  local old = call("ZRANGEBYSCORE", quota.sent, "-inf", edge)
  for _, member in ipairs(old) do
    local input, output = amounts(member)
    quota.input, quota.output = max(0, quota.input - input), max(0, quota.output - output)
  end
  if #old > 0 then
    call("ZREMRANGEBYSCORE", quota.sent, "-inf", edge)
  end
  quota.requests = call("ZCARD", quota.sent)
  if quota.requests == 0 then
    quota.input, quota.output = 0, 0
  end
  call("ZREMRANGEBYSCORE", quota.flying, "-inf", now)
  quota.in_flight = call("ZCARD", quota.flying)
  quota.at, quota.window = now, quota.limits.window
  roll_day(quota)
end

local function count_sent(quota, moment, id, input, output)
  local added = call("ZADD", quota.sent, moment, entry(id, input, output)) == 1
  if added then
    quota.input, quota.output = quota.input + input, quota.output + output
  end
  expire(quota.sent, quota.limits.window + max(0, moment - now) + MARGIN)
  return added
end

local function uncount_sent(quota, id, input, output)
  if call("ZREM", quota.sent, entry(id, input, output)) == 0 then
    return false
  end
  quota.input, quota.output = max(0, quota.input - input), max(0, quota.output - output)
  return true
end

-- The time that `amount` of a meter takes at twice the mean rate
local function pace(quota, amount, limit)
  return floor(quota.limits.window * amount / (2 * limit))
end

local function change_pace(quota, requests, input, output)
  for _, meter in ipairs(METERS) do
    local limit, field = quota.limits[meter[1]], "pace_" .. meter[1]
    local amount = meter[2](requests, input, output)
    if limit and limit > 0 and amount ~= 0 then
      local moment = quota[field] + pace(quota, amount, limit)
      quota[field] = max(0, min(moment, now + quota.limits.window))
    end
  end
end

-- When a call is allowed: the latest time of all limits, and the limit that sets it

local function breaker_allows_at(quota)
  if quota.open_until == 0 or quota.open_until > now then
    return quota.open_until
  elseif quota.probe_until > now then
    return min(quota.probe_until, now + PROBE_RECHECK)
  end
  return 0
end

-- Find for each meter over its limit the time at which enough has left its window
local function find_expiry(quota, over)
  local start, open = 0, #over
  while open > 0 do
    local page = call("ZRANGE", quota.sent, start, start + 31, "WITHSCORES")
    if #page == 0 then
      return
    end
    for index = 1, #page, 2 do
      local input, output = amounts(page[index])
      for _, meter in ipairs(over) do
        meter.excess = meter.excess - meter.of(1, input, output)
        if meter.excess <= 0 and not meter.moment then
          meter.moment, open = tonumber(page[index + 1]) + quota.limits.window, open - 1
        end
      end
    end
    start = start + 32
  end
end

local function check_meters(quota, check)
  local over = {}
  for _, meter in ipairs(METERS) do
    local name, of = meter[1], meter[2]
    local limit, amount = quota.limits[name], of(1, args.input, args.output)
    if limit and amount > limit then
      check(name, NEVER)
    elseif limit and amount > 0 then
      check(name, quota["pace_" .. name] - quota.limits.tolerance)
      local excess = of(quota.requests, quota.input, quota.output) + amount - limit
      if excess > 0 then
        over[#over + 1] = { name = name, of = of, excess = excess }
      end
    end
  end
  find_expiry(quota, over)
  for _, meter in ipairs(over) do
    check(meter.name, meter.moment or now + quota.limits.window)
  end
end

local function call_duration(quota)
  return quota.took > 0 and quota.took or DEFAULT_CALL_DURATION
end

local function check_in_flight(quota, check)
  local limit = quota.limits.calls_in_flight
  if limit == 0 then
    check("calls_in_flight", NEVER)
  elseif limit and quota.in_flight >= limit then
    local index = quota.in_flight - limit
    local returns = tonumber(call("ZRANGE", quota.flying, index, index, "WITHSCORES")[2])
    check("calls_in_flight", min(returns, now + max(1000, floor(call_duration(quota) / limit))))
  end
end

local function check_day(quota, check, name, kind, used, amount)
  local limit = quota.limits[name]
  if not limit or used + amount <= limit then
    return
  elseif amount > limit then
    return check(name, NEVER)
  end
  local hour = quota.day_hour - HOURS_COUNTED
  local excess = used + amount - limit
  while excess > 0 and hour < quota.day_hour do
    hour = hour + 1
    excess = excess - (tonumber(call("HGET", quota.hours, hour .. kind)) or 0)
  end
  check(name, (hour + HOURS_COUNTED) * HOUR)
end

local function allowed_at(quota)
  local latest, limit = now, nil
  local function check(name, moment)
    if moment > latest then
      latest, limit = moment, name
    end
  end
  check("not_before", quota.not_before)
  check("breaker", breaker_allows_at(quota))
  check_meters(quota, check)
  check_in_flight(quota, check)
  check_day(quota, check, "requests_per_day", "n", quota.day_requests, 1)
  check_day(quota, check, "money_per_day", "m", quota.day_money, args.money)
  return latest, limit
end

-- Stagger the retries of denied callers at twice the rate of calls: a caller that does not return wastes nothing, and
-- many callers do not return at once.

local function retry_spacing(quota)
  local gap, limited = 1000, false
  for _, meter in ipairs(METERS) do
    local limit, amount = quota.limits[meter[1]], meter[2](1, args.input, args.output)
    if limit and limit > 0 and amount > 0 then
      gap, limited = max(gap, pace(quota, amount, limit)), true
    end
  end
  local limit = quota.limits.calls_in_flight
  if limit and limit > 0 then
    gap, limited = max(gap, floor(call_duration(quota) / (2 * limit))), true
  end
  return limited and gap or 10000
end

local function stagger_retry(quota, earliest)
  if earliest == NEVER then
    return -1
  end
  local gap = retry_spacing(quota)
  local moment = max(earliest, quota.promised + gap)
  if moment > earliest + MAX_STAGGERED * gap then
    moment = earliest
  end
  quota.promised = moment
  return moment - now
end

-- The operations

local function count_reservation(quota)
  local limits = quota.limits
  for _, meter in ipairs(METERS) do
    local limit, amount = limits[meter[1]], meter[2](1, args.input, args.output)
    if limit and limit > 0 and amount > 0 then
      local field = "pace_" .. meter[1]
      quota[field] = max(quota[field], now) + pace(quota, amount, limit)
    end
  end
  count_sent(quota, now + limits.lag, args.id, args.input, args.output)
  call("ZADD", quota.flying, now + args.ttl, args.id)
  expire(quota.flying, args.ttl + MARGIN)
  count_day(quota, now, 1, args.money)
  if quota.open_until > 0 then
    quota.probe_until = now + args.probe
    call("HSET", quota.facts, "prober", args.id)
  end
end

-- If the clock was set back a little, use the last time instead: entries have already expired and left the sums.
local function use_monotonic_clock(quotas)
  for _, quota in ipairs(quotas) do
    if quota.at > now and quota.at - now <= quota.limits.window then
      now = quota.at
    end
  end
end

local function reserve()
  local epoch = call("GET", KEYS[1])
  if not epoch then
    return { "rebuilding" }
  end
  local quotas = load_all()
  use_monotonic_clock(quotas)
  local latest, late, limit = now, nil, nil
  for _, quota in ipairs(quotas) do
    expire_old(quota)
    local moment, name = allowed_at(quota)
    if moment > latest then
      latest, late, limit = moment, quota, name
    end
  end
  local answer = { "granted", now, epoch }
  if late then
    answer = { "denied", late.position - 1, limit, stagger_retry(late, latest), late.in_flight }
  end
  for _, quota in ipairs(quotas) do
    if not late then
      count_reservation(quota)
    end
    save(quota)
  end
  return answer
end

-- True for the first report on a call whose reservation has not expired
local function end_flight(quota)
  local until_moment = tonumber(call("ZSCORE", quota.flying, args.id))
  return until_moment and call("ZREM", quota.flying, args.id) == 1 and until_moment > now
end

local function settle_quota(quota, sent_at)
  local output = args.output_used
  if quota.limits.counts_max_tokens then
    output = max(output, args.output)
  end
  local was_counted = uncount_sent(quota, args.id, args.input, args.output)
  if was_counted or sent_at + quota.limits.window > now then
    count_sent(quota, sent_at, args.id, args.input_used, output)
  end
  change_pace(quota, 0, args.input_used - args.input, output - args.output)
  count_day(quota, args.reserved_at, 0, args.money_used - args.money)
  local took = max(1, now - args.reserved_at)
  quota.took = quota.took == 0 and took or quota.took + floor((took - quota.took) / 8)
end

local function note_success(position)
  local quota = load_quota(position or 1)
  quota.failures, quota.open_until, quota.cooldown, quota.probe_until = 0, 0, 0, 0
  quota.succeeded = now
  save(quota)
end

local function settle()
  local epoch = call("GET", KEYS[1])
  local sent_at = args.reserved_at
  if args.sent_at then
    sent_at = max(args.reserved_at, min(args.sent_at, now))
  end
  for _, quota in ipairs(load_all()) do
    if end_flight(quota) then
      settle_quota(quota, args.sent_at and sent_at or args.reserved_at + quota.limits.lag)
    elseif epoch and epoch ~= args.epoch then -- reserved before a flush: perhaps only the ledger contains it
      quota.window = quota.limits.window -- otherwise state counts nothing until the next reservation
      if count_sent(quota, sent_at, args.id, args.input_used, args.output_used) then
        count_day(quota, args.reserved_at, 1, args.money_used)
      end
    end
    save(quota)
  end
  if args.answered then -- its key comes after those of the reservation, and may be one of them
    note_success(#args.quotas + 1)
  end
end

local function release()
  for _, quota in ipairs(load_all()) do
    if end_flight(quota) then
      uncount_sent(quota, args.id, args.input, args.output)
      change_pace(quota, -1, -args.input, -args.output)
      count_day(quota, args.reserved_at, -1, -args.money)
      if call("HGET", quota.facts, "prober") == args.id then
        quota.probe_until = 0
      end
      save(quota)
    end
  end
end

local function hold_off()
  local quota = load_quota(1)
  quota.not_before = max(quota.not_before, now + args.seconds)
  save(quota)
end

local function held_off()
  return max(0, load_quota(1).not_before - now)
end

local function note_failure()
  local quota = load_quota(1)
  local breaker = args.breaker
  quota.failures = quota.failures + 1
  local unproven = now - quota.succeeded > breaker.proven
  local opens = quota.failures >= (unproven and breaker.threshold_unproven or breaker.threshold)
  if quota.open_until > 0 then -- while it is open, only the failure of a probe counts
    opens = quota.probe_until > now
  end
  if opens then
    quota.cooldown = min(max(breaker.cooldown, quota.cooldown * 2), breaker.max_cooldown)
    quota.open_until, quota.probe_until = now + quota.cooldown, 0
  end
  save(quota)
end

local function reset()
  local quota = load_quota(1)
  quota.not_before, quota.succeeded = 0, 0
  quota.failures, quota.open_until, quota.cooldown, quota.probe_until = 0, 0, 0, 0
  save(quota)
end

local function state()
  local answers = {}
  for position = 1, (#KEYS - 1) / 4 do
    local quota = load_quota(position)
    local input, output, requests, money, hour = 0, 0, 0, 0, floor(now / HOUR)
    local sent = call("ZRANGEBYSCORE", quota.sent, string.format("(%.0f", now - quota.window), "+inf")
    for _, member in ipairs(sent) do
      local one_input, one_output = amounts(member)
      input, output = input + one_input, output + one_output
    end
    for of = hour - HOURS_COUNTED + 1, hour do
      requests = requests + (tonumber(call("HGET", quota.hours, of .. "n")) or 0)
      money = money + (tonumber(call("HGET", quota.hours, of .. "m")) or 0)
    end
    answers[position] = {
      #sent, input, output, call("ZCOUNT", quota.flying, string.format("(%.0f", now), "+inf"), requests, money,
      quota.not_before > now and quota.not_before or 0,
      quota.open_until, quota.probe_until > now and 1 or 0, quota.failures,
    }
  end
  return answers
end

-- Rebuilding from the ledger, by the process that holds the lock in KEYS[6] (KEYS[2] in finish_rebuild)

local function restore()
  if call("GET", KEYS[6]) ~= args.lock then
    return 0
  end
  call("PEXPIRE", KEYS[6], args.lock_milliseconds)
  local quota = load_quota(1, { window = args.max_window })
  if args.first then
    call("DEL", quota.sent, quota.hours, quota.flying)
    quota.input, quota.output, quota.day_hour = 0, 0, 0
    for hour, counted in pairs(args.hours) do
      call("HSET", quota.hours, hour .. "n", counted[1], hour .. "m", counted[2])
    end
    expire(quota.hours, KEEP_FACTS)
    quota.window = quota.window > 0 and quota.window or args.usual_window
  end
  for _, past in ipairs(args.calls) do
    count_sent(quota, past.at, past.id, past.input, past.output)
    if past.in_flight then
      call("ZADD", quota.flying, past.at + args.ttl, past.id)
      expire(quota.flying, args.ttl + MARGIN)
    end
  end
  save(quota)
  return 1
end

local function finish_rebuild()
  if call("GET", KEYS[2]) ~= args.lock then
    return 0
  end
  if args.epoch then
    call("SET", KEYS[1], args.epoch)
  end
  call("DEL", KEYS[2])
  return 1
end

local OPERATIONS = {
  reserve = reserve, settle = settle, release = release, hold_off = hold_off, held_off = held_off,
  note_success = note_success, note_failure = note_failure, reset = reset, state = state, restore = restore, finish_rebuild = finish_rebuild,
}
return OPERATIONS[args.operation]()
