#include "support/web_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace rz::test {

// One connection at a time: a client that waits for the end of a stalled one would wait for ever, but ours gives up.
struct WebServer::State {
  int listener = -1;
  int port = 0;
  std::atomic<bool> stop = false;
  mutable std::mutex mutex;
  std::map<std::string, WebPage> pages;
  std::vector<std::string> requests;
  std::thread thread;

  void work();
  void answer(int client);
  bool readable(int descriptor) const;  // false when the server is to stop
};

namespace {

bool send_all(int client, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = send(client, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

std::size_t range_start(const std::string& request) {
  const std::size_t at = request.find("Range: bytes=");
  return at == std::string::npos ? 0 : std::stoul(request.substr(at + 13));
}

std::string head(const WebPage& page, std::size_t start, std::size_t length) {
  const bool partial = start > 0;
  std::string text = "HTTP/1.1 " + std::to_string(partial ? 206 : page.status) +
                     " x\r\nConnection: close\r\nContent-Type: " + page.type + "\r\n";
  if (page.claims != -2)
    text += "Content-Length: " + std::to_string(page.claims >= 0 ? page.claims : static_cast<std::int64_t>(length)) +
            "\r\n";
  if (partial)
    text += "Content-Range: bytes " + std::to_string(start) + "-" + std::to_string(page.body.size() - 1) + "/" +
            std::to_string(page.body.size()) + "\r\n";
  return text + "\r\n";
}

}  // namespace

bool WebServer::State::readable(int descriptor) const {
  pollfd waiting{descriptor, POLLIN, 0};
  while (!stop)
    if (poll(&waiting, 1, 20) > 0) return true;
  return false;
}

void WebServer::State::work() {
  while (readable(listener)) {
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    answer(client);
    ::close(client);
  }
}

void WebServer::State::answer(int client) {
  std::string request;
  while (request.find("\r\n\r\n") == std::string::npos) {
    char piece[4096];
    if (!readable(client)) return;
    const ssize_t count = recv(client, piece, sizeof piece, 0);
    if (count <= 0) return;
    request.append(piece, static_cast<std::size_t>(count));
  }
  const std::string path = request.substr(4, request.find(' ', 4) - 4);
  std::size_t start = range_start(request);
  WebPage page{"<html>not here</html>", "text/html", 404};
  {
    const std::lock_guard lock(mutex);
    requests.push_back(path + (start > 0 ? " from " + std::to_string(start) : ""));
    if (const auto found = pages.find(path); found != pages.end()) page = found->second;
  }
  if (!page.ranges || page.status != 200) start = 0;
  if (start > 0 && start >= page.body.size()) {
    send_all(client, "HTTP/1.1 416 x\r\nConnection: close\r\nContent-Length: 0\r\nContent-Range: bytes */" +
                         std::to_string(page.body.size()) + "\r\n\r\n");
    return;
  }
  std::string body = page.body.substr(start);
  if (page.silent) {
    readable(client);
    return;
  }
  const std::string top = head(page, start, body.size());
  if (page.sends >= 0) body.resize(std::min(body.size(), static_cast<std::size_t>(page.sends)));
  if (send_all(client, top) && send_all(client, body) && page.stalls) readable(client);  // until it hangs up
}

WebServer::WebServer(WebPages pages) : state_(std::make_unique<State>()) {
  state_->pages = std::move(pages);
  state_->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(state_->listener, generic, size) != 0 || listen(state_->listener, 16) != 0 ||
      getsockname(state_->listener, generic, &size) != 0)
    throw std::runtime_error("the loopback address cannot be served");
  state_->port = ntohs(address.sin_port);
  state_->thread = std::thread([this] { state_->work(); });
}

WebServer::~WebServer() {
  state_->stop = true;
  state_->thread.join();
  ::close(state_->listener);
}

void WebServer::set(const std::string& path, const WebPage& page) {
  const std::lock_guard lock(state_->mutex);
  state_->pages[path] = page;
}

std::string WebServer::address() const { return "http://127.0.0.1:" + std::to_string(state_->port); }

std::vector<std::string> WebServer::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

}  // namespace rz::test
