#include "cli/image_pull.hpp"

#include "actors/images/image_store.hpp"
#include "cli/image_store.hpp"
#include "cli/pull_view.hpp"
#include "cli/registries.hpp"
#include "cli/signals.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <ostream>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

namespace tank::cli {

namespace {

using clock = std::chrono::steady_clock;
/// A terminal is not read faster than this.
constexpr int redraw_ms = 100;

/// What the pulling thread says and the drawing thread reads.
class pull_board {
 public:
  pull_board() : event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

  void take(const oci::layer_progress& p) {
    {
      const std::lock_guard lock{mutex_};
      totals_.take(p);
    }
    ::eventfd_write(event_.get(), 1);
  }
  void finish(result<oci::image> how) {
    {
      const std::lock_guard lock{mutex_};
      done_ = std::move(how);
    }
    ::eventfd_write(event_.get(), 1);
  }
  /// Takes the readiness of `fd()` away.
  oci::pull_totals look(std::optional<result<oci::image>>& done) {
    eventfd_t count = 0;
    ::eventfd_read(event_.get(), &count);
    const std::lock_guard lock{mutex_};
    done = done_;
    return totals_;
  }
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

 private:
  unique_fd event_;
  std::mutex mutex_; ///< guards what follows
  oci::pull_totals totals_;
  std::optional<result<oci::image>> done_;
};

class pull_screen {
 public:
  explicit pull_screen(cli_context& context) : context_(context) {}

  void show(const oci::pull_totals& totals) {
    if (!context_.out_is_tty) return lines(totals);
    speeds_.sample(clock::now(), totals);
    winsize size{};
    if (::ioctl(context_.out_fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size.ws_col = 80;
    erase();
    auto text = pull_table(totals, speeds_, size.ws_col - 1u);
    // More layers than the terminal has rows: the sum is what counts.
    const auto rows = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    if (size.ws_row > 1 && rows >= size.ws_row)
      text = text.substr(text.rfind('\n', text.size() - 2) + 1);
    rows_ = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    context_.out << text << std::flush;
  }

 private:
  void erase() {
    if (rows_ > 0) context_.out << "\r\x1b[" << rows_ << "A\x1b[J";
    rows_ = 0;
  }
  void lines(const oci::pull_totals& totals) {
    for (const auto& layer : totals.layers()) {
      const auto line = layer_line(layer);
      if (line.empty() || !said_.emplace(layer.blob, true).second) continue;
      context_.out << line << "\n" << std::flush;
    }
  }

  cli_context& context_;
  pull_speeds speeds_;
  std::size_t rows_ = 0;
  std::map<std::string, bool> said_;
};

} // namespace

result<oci::image> pull_with_progress(cli_context& context, const oci::image_puller& puller,
                                      const std::string& name) {
  auto signals = TANK_TRY(termination_signals::take(false));
  oci::cancellation stop;
  pull_board board;
  std::thread pulling{[&] {
    oci::pull_options how;
    how.progress = [&](const oci::layer_progress& p) { board.take(p); };
    board.finish(puller.pull(name, how, stop));
  }};
  pull_screen screen{context};
  std::optional<result<oci::image>> done;
  while (!done) {
    std::array<pollfd, 2> fds{pollfd{board.fd(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), -1);
    while (signals.next() != 0)
      stop.cancel();
    const auto totals = board.look(done);
    screen.show(totals);
    // What comes meanwhile is drawn together; a signal or the end is not kept waiting for long.
    if (!done && context.out_is_tty) ::poll(&fds[1], 1, redraw_ms);
  }
  pulling.join();
  return *std::move(done);
}

namespace {

/// Without asking anybody.
result<oci::image> cached(const oci::store& store, const std::string& name) {
  auto here = store.resolve(name);
  if (here) return here;
  return failure{explain_missing_image(std::move(here).error(), name, true)};
}

struct pull_flags {
  std::vector<std::string> names;
  bool offline = false;
};

result<int> pull_all(invocation& line, const pull_flags& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto store = TANK_TRY(open_image_store(line)); // which sweeps what a crash left
  const bool offline = given.offline || settings.images.offline;
  const auto puller = make_puller(line.context, settings);
  for (const auto& text : given.names) {
    const auto image =
        TANK_TRY(offline ? cached(store, text) : pull_with_progress(line.context, puller, text));
    line.context.out << image.name << " " << image.manifest_digest << "\n";
  }
  return exit_ok;
}

} // namespace

void add_image_pull(CLI::App& image, invocation& line) {
  auto given = std::make_shared<pull_flags>();
  auto* pulled = image.add_subcommand("pull", "Pull images from a registry");
  pulled->add_flag("--offline", given->offline,
                   "ask no registry: an image that is not here is an error (not_cached)");
  pulled->add_option("NAME", given->names, "such as nginx:1.27 or ghcr.io/acme/api@sha256:...")
      ->required();
  pulled->footer(
      "Logins, mirrors and certificates are those of docker and podman on this machine.\n"
      "Works beside a running daemon. Layers that are whole when a pull fails, or is ended by\n"
      "Ctrl-C, stay for the next attempt, until 'tank image prune'.\n\nExamples:\n"
      "  tank image pull nginx:1.27\n"
      "  tank image pull localhost:5000/web");
  pulled->callback(
      [&line, given] { line.action = [&line, given] { return pull_all(line, *given); }; });
}

} // namespace tank::cli
