// Ctrl-C and SIGTERM. Without a Graceful object they end the program at once with exit code 130; with one the first is
// remembered and the second ends the program. Files are written atomically, so that nothing is lost.
#pragma once

namespace rz::tool {

void install_signal_handlers();  // at the start of the program; also ignores SIGPIPE

class GracefulInterrupt {
 public:
  GracefulInterrupt();
  ~GracefulInterrupt();
  GracefulInterrupt(const GracefulInterrupt&) = delete;
  GracefulInterrupt& operator=(const GracefulInterrupt&) = delete;
  bool requested() const;
};

}  // namespace rz::tool
