#include "kernel/shim/cri.hpp"

namespace tank::kernel::shim {

static void put_digits(char* to, int width, std::int64_t value) noexcept {
  for (int i = width - 1; i >= 0; --i, value /= 10)
    to[i] = static_cast<char>('0' + value % 10);
}

void format_stamp(std::int64_t realtime_ns, char (&out)[stamp_size]) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  constexpr std::int64_t day = 86400;
  const std::int64_t seconds = realtime_ns / second;
  const std::int64_t in_day = seconds % day;
  // Days to a date, counted from 1 March of year 0, so that the leap day is a year's last.
  const std::int64_t days = seconds / day + 719468;
  const std::int64_t era = days / 146097;
  const std::int64_t of_era = days % 146097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::int64_t march_month = (5 * of_year + 2) / 153;
  const std::int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  std::memcpy(out, "0000-00-00T00:00:00.000000000Z", stamp_size);
  put_digits(out, 4, year + era * 400 + (month <= 2 ? 1 : 0));
  put_digits(out + 5, 2, month);
  put_digits(out + 8, 2, of_year - (153 * march_month + 2) / 5 + 1);
  put_digits(out + 11, 2, in_day / 3600);
  put_digits(out + 14, 2, in_day / 60 % 60);
  put_digits(out + 17, 2, in_day % 60);
  put_digits(out + 20, 9, realtime_ns % second);
}

} // namespace tank::kernel::shim
