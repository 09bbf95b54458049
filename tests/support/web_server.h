// A small web server on the loopback address, with the bad habits that a download must survive.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rz::test {

struct WebPage {
  std::string body;
  std::string type = "application/octet-stream";
  int status = 200;
  bool ranges = true;        // false: the whole body is sent, whatever was asked for
  std::int64_t claims = -1;  // this Content-Length in place of the true one; -2: none
  std::int64_t sends = -1;   // only so many bytes of the answer's body, then the connection is cut
  bool silent = false;       // nothing is sent at all
  bool stalls = false;       // in place of being cut: it stays open, and nothing comes
};

using WebPages = std::map<std::string, WebPage>;  // by path: "/mnist/train.gz"

class WebServer {
 public:
  explicit WebServer(WebPages pages);  // others are 404
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  void set(const std::string& path, const WebPage& page);
  std::string address() const;                // "http://127.0.0.1:43210"
  std::vector<std::string> requests() const;  // "/a", or "/a from 100", in order

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rz::test
