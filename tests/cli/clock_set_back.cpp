// Preloaded into a program: its wall clock goes back a year ten times a second.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, time);
  if (clock == CLOCK_REALTIME) {
    timespec passed{};
    ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &passed);
    static const timespec start = passed;
    const long tenths = 10 * (passed.tv_sec - start.tv_sec) + (passed.tv_nsec - start.tv_nsec) / 100'000'000;
    time->tv_sec -= tenths * 365 * 86'400;
  }
  return static_cast<int>(result);
}
