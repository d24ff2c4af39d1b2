#include "cli/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "cli/table.h"
#include "io/chart_axis.h"
#include "io/xml_text.h"

namespace cosformer::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};
constexpr std::chrono::seconds kLine{20};
constexpr int kBar = 20;

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  char text[64];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02d:%02d", static_cast<long long>(whole / 3600),
                  static_cast<int>(whole / 60 % 60), static_cast<int>(whole % 60));
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(whole / 60), static_cast<int>(whole % 60));
  }
  return text;
}

}  // namespace

std::string progress_line(const train::TrainProgress& progress, std::optional<double> valid_loss,
                          double tokens_per_second, double seconds_left, int bar) {
  std::string line;
  if (bar > 0) {
    const auto full = static_cast<int>(static_cast<double>(bar) * static_cast<double>(progress.step) /
                                       static_cast<double>(progress.steps));
    line = '[' + std::string(static_cast<std::size_t>(full), '#') +
           std::string(static_cast<std::size_t>(bar - full), '.') + "]  ";
  }
  line += "step " + std::to_string(progress.step) + '/' + std::to_string(progress.steps) + "  loss " +
          fixed(progress.loss, 4);
  if (valid_loss) line += "  valid " + fixed(*valid_loss, 4);
  if (std::isfinite(tokens_per_second))
    line += "  " + io::readable_number(tokens_per_second, 1) + " tokens/s";
  if (std::isfinite(seconds_left)) line += "  " + clock_text(seconds_left) + " left";
  return line;
}

Progress::Progress()
    : terminal_(isatty(STDOUT_FILENO) != 0), start_(Clock::now()), last_shown_(start_ - kLine) {}

Progress::~Progress() {
  if (line_open_) std::putchar('\n');
}

void Progress::print(const std::string& line, bool stays) {
  // Over the line that may stand there, and then to its end.
  if (terminal_) std::fputs(("\r" + line + "\x1b[K").c_str(), stdout);
  if (!terminal_) std::fputs(line.c_str(), stdout);
  line_open_ = terminal_ && !stays;
  if (!line_open_) std::putchar('\n');
  std::fflush(stdout);
}

void Progress::note(const std::string& line) {
  print(io::valid_text(line), true);
}

void Progress::show(const train::TrainProgress& progress) {
  const auto now = Clock::now();
  if (first_step_ < 0) {
    // The first step's time is that of loading, too.
    first_step_ = progress.step;
    start_ = now;
  } else {
    tokens_ += progress.predicted;
  }
  if (progress.valid_loss) valid_loss_ = progress.valid_loss;
  const bool last = progress.step == progress.steps;
  const bool due = now - last_shown_ >= (terminal_ ? Clock::duration(kRedraw) : Clock::duration(kLine));
  if (!due && !last && (terminal_ || !progress.valid_loss)) return;
  last_shown_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const auto done = static_cast<double>(progress.step - first_step_);
  const double left = seconds / done * static_cast<double>(progress.steps - progress.step);
  print(progress_line(progress, valid_loss_, static_cast<double>(tokens_) / seconds, left,
                      terminal_ ? kBar : 0),
        last);
}

}  // namespace cosformer::cli
