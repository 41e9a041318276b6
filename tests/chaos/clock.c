/* The clock of a process that jumps: LD_PRELOAD adds the seconds in the file CLOCK_SHIFT to the time of day.
   A process whose clock has jumped writes a file of that name with its number at the end.
   libfaketime does the same, but then time.sleep() of Python 3.11 fails. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void report(const char *path, long seconds) {
    char name[4096];
    FILE *file;
    snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
    file = fopen(name, "w");
    if (file) {
        fprintf(file, "%ld", seconds);
        fclose(file);
    }
}

static time_t shift(void) {
    static time_t seconds, read_at = -1;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    if (now.tv_sec != read_at) {
        const char *path = getenv("CLOCK_SHIFT");
        FILE *file = path ? fopen(path, "r") : NULL;
        long found = 0;
        if (file) {
            if (fscanf(file, "%ld", &found) != 1)
                found = seconds;
            fclose(file);
            if (found && found != seconds)
                report(path, found);
            seconds = found;
        }
        read_at = now.tv_sec;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    long failed = syscall(SYS_clock_gettime, clock, time);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += shift();
    return (int)failed;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}
