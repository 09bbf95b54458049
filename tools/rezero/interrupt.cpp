#include "tools/rezero/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

volatile std::sig_atomic_t graceful = 0, received = 0;

void on_signal(int) {
  if (graceful && !received) {
    received = 1;
    return;
  }
  constexpr char text[] = "\nrezero: interrupted\n";
  // A new line only where a bar may be in the way.
  const std::size_t skip = isatty(STDERR_FILENO) ? 0 : 1;
  [[maybe_unused]] const ssize_t count = write(STDERR_FILENO, text + skip, sizeof text - 1 - skip);
  _exit(exit_interrupted);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction before{};
    sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN)
      sigaction(number, &action, nullptr);  // a job started with nohup or & keeps its own
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error of write()
}

GracefulInterrupt::GracefulInterrupt() {
  received = 0;
  graceful = 1;
}
GracefulInterrupt::~GracefulInterrupt() { graceful = 0; }
bool GracefulInterrupt::requested() const { return received != 0; }

}  // namespace rz::tool
