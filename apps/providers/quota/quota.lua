-- The shared quota store: every move is one call of this script, atomic over all accounts it names.
--
-- KEYS[1] is the epoch, the sign that the store knows the last day. Then four keys an account:
--   facts  (hash) sums, pace, promises, not_before, breaker     sent  (zset) "id:input:output" by the moment of sending
--   flying (zset) id by the moment its place comes back         hours (hash) "<hour>n" requests and "<hour>m" money
-- ARGV[1] is the order as JSON. Moments and lengths are whole microseconds, money is millionths of a dollar: all below
-- 2^53, so Lua's numbers hold them exactly. quota_model.py says the same in Python, and a test compares the two.

local HOUR = 3600000000
local HOURS_COUNTED = 25 -- the hour that runs and the 24 before it: never less than 24 hours
local PLACES = 128 -- promised one behind the other before they are promised twice
local NEVER = 9007199254740991
local DEFAULT_TOOK = 1000000 -- how long a call takes, until one has ended
local LOOK_AT_PROBE = 1000000 -- who waits for a probe asks again so soon
local KEEP_FACTS = 26 * HOUR
local MARGIN = 60000000 -- keys live so much longer than their contents count

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
local order = cjson.decode(ARGV[1])
local now = order.now
if not now then
  local time = call("TIME")
  now = time[1] * 1000000 + time[2]
end

local function load_account(position, limits)
  local first = 2 + 4 * (position - 1)
  local account = {
    position = position, limits = limits or {}, facts = KEYS[first], sent = KEYS[first + 1],
    flying = KEYS[first + 2], hours = KEYS[first + 3], read = {},
  }
  local values = call("HMGET", account.facts, unpack(NUMBERS))
  for index, name in ipairs(NUMBERS) do
    account[name] = tonumber(values[index]) or 0
    account.read[name] = account[name]
  end
  return account
end

local function load_all()
  local accounts = {}
  for position, limits in ipairs(order.accounts) do
    accounts[position] = load_account(position, limits)
  end
  return accounts
end

local function expire(key, microseconds)
  call("PEXPIRE", key, floor(microseconds / 1000))
end

local function save(account)
  local changed = {}
  for _, name in ipairs(NUMBERS) do
    if account[name] ~= account.read[name] then
      changed[#changed + 1] = name
      changed[#changed + 1] = account[name]
    end
  end
  if #changed > 0 then
    call("HSET", account.facts, unpack(changed))
    expire(account.facts, max(KEEP_FACTS, account.not_before - now + HOUR))
  end
end

local function entry(id, input, output)
  return string.format("%s:%.0f:%.0f", id, input, output)
end

local function amounts(member)
  local input, output = string.match(member, ":(%d+):(%d+)$")
  return tonumber(input), tonumber(output)
end

-- What is counted

local function roll_day(account)
  local hour = floor(now / HOUR)
  if account.day_hour == hour then
    return
  end
  account.day_hour, account.day_requests, account.day_money = hour, 0, 0
  local fields = call("HGETALL", account.hours)
  for index = 1, #fields, 2 do
    local of, kind = string.match(fields[index], "^(%d+)(%a)$")
    if tonumber(of) <= hour - HOURS_COUNTED then
      call("HDEL", account.hours, fields[index])
    elseif kind == "n" then
      account.day_requests = account.day_requests + fields[index + 1]
    else
      account.day_money = account.day_money + fields[index + 1]
    end
  end
end

local function count_day(account, moment, requests, money)
  local hour = floor(moment / HOUR)
  roll_day(account)
  if hour <= account.day_hour - HOURS_COUNTED then
    return
  end
  if requests ~= 0 then
    call("HINCRBY", account.hours, hour .. "n", requests)
    account.day_requests = account.day_requests + requests
  end
  if money ~= 0 then
    call("HINCRBY", account.hours, hour .. "m", money)
    account.day_money = account.day_money + money
  end
  expire(account.hours, KEEP_FACTS)
end

local function forget_old(account)
  local edge = now - account.limits.window
  local old = call("ZRANGEBYSCORE", account.sent, "-inf", edge)
  for _, member in ipairs(old) do
    local input, output = amounts(member)
    account.input, account.output = max(0, account.input - input), max(0, account.output - output)
  end
  if #old > 0 then
    call("ZREMRANGEBYSCORE", account.sent, "-inf", edge)
  end
  account.requests = call("ZCARD", account.sent)
  if account.requests == 0 then
    account.input, account.output = 0, 0
  end
  call("ZREMRANGEBYSCORE", account.flying, "-inf", now)
  account.in_flight = call("ZCARD", account.flying)
  account.at, account.window = now, account.limits.window
  roll_day(account)
end

local function count_sent(account, moment, id, input, output)
  local added = call("ZADD", account.sent, moment, entry(id, input, output)) == 1
  if added then
    account.input, account.output = account.input + input, account.output + output
  end
  expire(account.sent, account.limits.window + max(0, moment - now) + MARGIN)
  return added
end

local function uncount_sent(account, id, input, output)
  if call("ZREM", account.sent, entry(id, input, output)) == 0 then
    return false
  end
  account.input, account.output = max(0, account.input - input), max(0, account.output - output)
  return true
end

-- How long `amount` of a meter takes at twice the mean rate
local function pace(account, amount, limit)
  return floor(account.limits.window * amount / (2 * limit))
end

local function change_pace(account, requests, input, output)
  for _, meter in ipairs(METERS) do
    local limit, field = account.limits[meter[1]], "pace_" .. meter[1]
    local amount = meter[2](requests, input, output)
    if limit and limit > 0 and amount ~= 0 then
      local moment = account[field] + pace(account, amount, limit)
      account[field] = max(0, min(moment, now + account.limits.window))
    end
  end
end

-- When a call may go: the latest of all moments, and the limit that asks for it

local function breaker_opens(account)
  if account.open_until == 0 or account.open_until > now then
    return account.open_until
  elseif account.probe_until > now then
    return min(account.probe_until, now + LOOK_AT_PROBE)
  end
  return 0
end

-- Give each meter that is over its limit the moment at which enough will have left its window
local function find_leaving(account, over)
  local start, open = 0, #over
  while open > 0 do
    local page = call("ZRANGE", account.sent, start, start + 31, "WITHSCORES")
    if #page == 0 then
      return
    end
    for index = 1, #page, 2 do
      local input, output = amounts(page[index])
      for _, meter in ipairs(over) do
        meter.excess = meter.excess - meter.of(1, input, output)
        if meter.excess <= 0 and not meter.moment then
          meter.moment, open = tonumber(page[index + 1]) + account.limits.window, open - 1
        end
      end
    end
    start = start + 32
  end
end

local function check_meters(account, check)
  local over = {}
  for _, meter in ipairs(METERS) do
    local name, of = meter[1], meter[2]
    local limit, amount = account.limits[name], of(1, order.input, order.output)
    if limit and amount > limit then
      check(name, NEVER)
    elseif limit and amount > 0 then
      check(name, account["pace_" .. name] - account.limits.tolerance)
      local excess = of(account.requests, account.input, account.output) + amount - limit
      if excess > 0 then
        over[#over + 1] = { name = name, of = of, excess = excess }
      end
    end
  end
  find_leaving(account, over)
  for _, meter in ipairs(over) do
    check(meter.name, meter.moment or now + account.limits.window)
  end
end

local function call_takes(account)
  return account.took > 0 and account.took or DEFAULT_TOOK
end

local function check_flights(account, check)
  local limit = account.limits.calls_in_flight
  if limit == 0 then
    check("calls_in_flight", NEVER)
  elseif limit and account.in_flight >= limit then
    local index = account.in_flight - limit
    local returns = tonumber(call("ZRANGE", account.flying, index, index, "WITHSCORES")[2])
    check("calls_in_flight", min(returns, now + max(1000, floor(call_takes(account) / limit))))
  end
end

local function check_day(account, check, name, kind, used, amount)
  local limit = account.limits[name]
  if not limit or used + amount <= limit then
    return
  elseif amount > limit then
    return check(name, NEVER)
  end
  local hour = account.day_hour - HOURS_COUNTED
  local excess = used + amount - limit
  while excess > 0 and hour < account.day_hour do
    hour = hour + 1
    excess = excess - (tonumber(call("HGET", account.hours, hour .. kind)) or 0)
  end
  check(name, (hour + HOURS_COUNTED) * HOUR)
end

local function opens_at(account)
  local latest, limit = now, nil
  local function check(name, moment)
    if moment > latest then
      latest, limit = moment, name
    end
  end
  check("not_before", account.not_before)
  check("breaker", breaker_opens(account))
  check_meters(account, check)
  check_flights(account, check)
  check_day(account, check, "requests_per_day", "n", account.day_requests, 1)
  check_day(account, check, "money_per_day", "m", account.day_money, order.money)
  return latest, limit
end

-- Who is refused is promised a moment of its own, at twice the rate at which calls can go: one who does not come back
-- wastes nothing, and those who are many do not all come at once.

local function gap_between_promises(account)
  local gap, limited = 1000, false
  for _, meter in ipairs(METERS) do
    local limit, amount = account.limits[meter[1]], meter[2](1, order.input, order.output)
    if limit and limit > 0 and amount > 0 then
      gap, limited = max(gap, pace(account, amount, limit)), true
    end
  end
  local places = account.limits.calls_in_flight
  if places and places > 0 then
    gap, limited = max(gap, floor(call_takes(account) / (2 * places))), true
  end
  return limited and gap or 10000
end

local function promise(account, earliest)
  if earliest == NEVER then
    return -1
  end
  local gap = gap_between_promises(account)
  local moment = max(earliest, account.promised + gap)
  if moment > earliest + PLACES * gap then
    moment = earliest
  end
  account.promised = moment
  return moment - now
end

-- The moves

local function take(account)
  local limits = account.limits
  for _, meter in ipairs(METERS) do
    local limit, amount = limits[meter[1]], meter[2](1, order.input, order.output)
    if limit and limit > 0 and amount > 0 then
      local field = "pace_" .. meter[1]
      account[field] = max(account[field], now) + pace(account, amount, limit)
    end
  end
  count_sent(account, now + limits.lag, order.id, order.input, order.output)
  call("ZADD", account.flying, now + order.hold, order.id)
  expire(account.flying, order.hold + MARGIN)
  count_day(account, now, 1, order.money)
  if account.open_until > 0 then
    account.probe_until = now + order.probe
    call("HSET", account.facts, "prober", order.id)
  end
end

-- A clock that is put back a little stands still instead: what it has let go of would be missing from the sums.
local function steady_clock(accounts)
  for _, account in ipairs(accounts) do
    if account.at > now and account.at - now <= account.limits.window then
      now = account.at
    end
  end
end

local function reserve()
  local epoch = call("GET", KEYS[1])
  if not epoch then
    return { "rebuilding" }
  end
  local accounts = load_all()
  steady_clock(accounts)
  local latest, late, limit = now, nil, nil
  for _, account in ipairs(accounts) do
    forget_old(account)
    local moment, name = opens_at(account)
    if moment > latest then
      latest, late, limit = moment, account, name
    end
  end
  local answer = { "granted", now, epoch }
  if late then
    answer = { "refused", late.position - 1, limit, promise(late, latest) }
  end
  for _, account in ipairs(accounts) do
    if not late then
      take(account)
    end
    save(account)
  end
  return answer
end

-- True for the first report on a call that still holds its place.
local function land(account)
  local until_moment = tonumber(call("ZSCORE", account.flying, order.id))
  return until_moment and call("ZREM", account.flying, order.id) == 1 and until_moment > now
end

local function settle_account(account, sent_at)
  local output = order.output_used
  if account.limits.counts_max_tokens then
    output = max(output, order.output)
  end
  local was_counted = uncount_sent(account, order.id, order.input, order.output)
  if was_counted or sent_at + account.limits.window > now then
    count_sent(account, sent_at, order.id, order.input_used, output)
  end
  change_pace(account, 0, order.input_used - order.input, output - order.output)
  count_day(account, order.reserved_at, 0, order.money_used - order.money)
  local took = max(1, now - order.reserved_at)
  account.took = account.took == 0 and took or account.took + floor((took - account.took) / 8)
end

local function settle()
  local epoch = call("GET", KEYS[1])
  local sent_at = order.reserved_at
  if order.sent_at then
    sent_at = max(order.reserved_at, min(order.sent_at, now))
  end
  for _, account in ipairs(load_all()) do
    if land(account) then
      settle_account(account, order.sent_at and sent_at or order.reserved_at + account.limits.lag)
    elseif epoch and epoch ~= order.epoch then -- reserved before a flush: only the ledger may know it
      account.window = account.limits.window -- or state counts nothing until somebody reserves
      if count_sent(account, sent_at, order.id, order.input_used, order.output_used) then
        count_day(account, order.reserved_at, 1, order.money_used)
      end
    end
    save(account)
  end
end

local function release()
  for _, account in ipairs(load_all()) do
    if land(account) then
      uncount_sent(account, order.id, order.input, order.output)
      change_pace(account, -1, -order.input, -order.output)
      count_day(account, order.reserved_at, -1, -order.money)
      if call("HGET", account.facts, "prober") == order.id then
        account.probe_until = 0
      end
      save(account)
    end
  end
end

local function hold_off()
  local account = load_account(1)
  account.not_before = max(account.not_before, now + order.seconds)
  save(account)
end

local function held_off()
  return max(0, load_account(1).not_before - now)
end

local function note_success()
  local account = load_account(1)
  account.failures, account.open_until, account.cooldown, account.probe_until = 0, 0, 0, 0
  account.succeeded = now
  save(account)
end

local function note_failure()
  local account = load_account(1)
  local breaker = order.breaker
  account.failures = account.failures + 1
  local unproven = now - account.succeeded > breaker.proven
  local opens = account.failures >= (unproven and breaker.threshold_unproven or breaker.threshold)
  if account.open_until > 0 then -- while it is open only a probe's failure says something new
    opens = account.probe_until > now
  end
  if opens then
    account.cooldown = min(max(breaker.cooldown, account.cooldown * 2), breaker.longest_cooldown)
    account.open_until, account.probe_until = now + account.cooldown, 0
  end
  save(account)
end

local function reset()
  local account = load_account(1)
  account.not_before, account.succeeded = 0, 0
  account.failures, account.open_until, account.cooldown, account.probe_until = 0, 0, 0, 0
  save(account)
end

local function state()
  local answers = {}
  for position = 1, (#KEYS - 1) / 4 do
    local account = load_account(position)
    local input, output, requests, money, hour = 0, 0, 0, 0, floor(now / HOUR)
    local sent = call("ZRANGEBYSCORE", account.sent, string.format("(%.0f", now - account.window), "+inf")
    for _, member in ipairs(sent) do
      local one_input, one_output = amounts(member)
      input, output = input + one_input, output + one_output
    end
    for of = hour - HOURS_COUNTED + 1, hour do
      requests = requests + (tonumber(call("HGET", account.hours, of .. "n")) or 0)
      money = money + (tonumber(call("HGET", account.hours, of .. "m")) or 0)
    end
    answers[position] = {
      #sent, input, output, call("ZCOUNT", account.flying, string.format("(%.0f", now), "+inf"), requests, money,
      account.not_before > now and account.not_before or 0,
      account.open_until, account.probe_until > now and 1 or 0, account.failures,
    }
  end
  return answers
end

-- What the ledger remembers, written by the holder of the lock in KEYS[6] (KEYS[2] in finish_rebuild)

local function restore()
  if call("GET", KEYS[6]) ~= order.lock then
    return 0
  end
  call("PEXPIRE", KEYS[6], order.lock_milliseconds)
  local account = load_account(1, { window = order.longest_window })
  if order.first then
    call("DEL", account.sent, account.hours, account.flying)
    account.input, account.output, account.day_hour = 0, 0, 0
    for hour, counted in pairs(order.hours) do
      call("HSET", account.hours, hour .. "n", counted[1], hour .. "m", counted[2])
    end
    expire(account.hours, KEEP_FACTS)
    account.window = account.window > 0 and account.window or order.usual_window
  end
  for _, past in ipairs(order.calls) do
    count_sent(account, past.at, past.id, past.input, past.output)
    if past.in_flight then
      call("ZADD", account.flying, past.at + order.hold, past.id)
      expire(account.flying, order.hold + MARGIN)
    end
  end
  save(account)
  return 1
end

local function finish_rebuild()
  if call("GET", KEYS[2]) ~= order.lock then
    return 0
  end
  if order.epoch then
    call("SET", KEYS[1], order.epoch)
  end
  call("DEL", KEYS[2])
  return 1
end

local MOVES = {
  reserve = reserve, settle = settle, release = release, hold_off = hold_off, held_off = held_off,
  note_success = note_success, note_failure = note_failure, reset = reset, state = state, restore = restore, finish_rebuild = finish_rebuild,
}
return MOVES[order.move]()
