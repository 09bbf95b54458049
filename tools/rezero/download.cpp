#include "tools/rezero/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>

#include "core/error.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

enum HttpStatus : long { ok = 200, partial = 206, range_not_satisfiable = 416 };

// The file that grows. One program at a time writes it.
class Part {
 public:
  explicit Part(std::string path) : path_(std::move(path)) {
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail();
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(descriptor_);
      RZ_FAIL(file, "{}: is being fetched by another program (wait for it, or end it)", path_);
    }
    struct stat status{};
    if (fstat(descriptor_, &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
  }
  ~Part() {
    if (size_ == 0) unlink(path_.c_str());
    close(descriptor_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  void clear() {
    if (ftruncate(descriptor_, 0) != 0) fail();
    size_ = 0;
  }
  void append(const char* data, std::size_t bytes) {
    while (bytes > 0) {
      const ssize_t count = write(descriptor_, data, bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail();
      data += count;
      bytes -= static_cast<std::size_t>(count);
      size_ += static_cast<std::uint64_t>(count);
    }
  }
  void sync() {
    if (fsync(descriptor_) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    RZ_FAIL(file, "{}: cannot be written: {}", path_, std::generic_category().message(errno));
  }
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// "bytes 500-999/1000" -> {500, 1000}; "bytes */1000" -> {0, 1000}.
struct ContentRange {
  std::uint64_t start = 0, total = 0;
};
std::optional<ContentRange> content_range(std::string_view text) {
  ContentRange range;
  const std::size_t slash = text.find('/'), digits = text.find_first_of("0123456789*");
  if (slash == std::string_view::npos || digits > slash) return {};
  std::from_chars(text.data() + digits, text.data() + slash, range.start);
  std::from_chars(text.data() + slash + 1, text.data() + text.size(), range.total);
  return range;
}

// One request and its answer.
class Transfer {
 public:
  Transfer(const std::string& url, Part& part, const DownloadOptions& options)
      : url_(url), part_(part), options_(options), curl_(curl_easy_init(), curl_easy_cleanup) {
    if (!curl_) RZ_FAIL(library, "{}: libcurl could not be started", url);
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 5L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_USERAGENT, "rezero");
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.timeout));
    set(CURLOPT_LOW_SPEED_LIMIT, 100L);  // bytes per second, on an average that hides short stalls: see on_progress
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.timeout));
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_ERRORBUFFER, reason_);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_data);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    if (part.size() > 0) set(CURLOPT_RANGE, fmt::format("{}-", part.size()).c_str());
  }

  // Whether the file is whole; false: its start was of no use and is gone, another request is needed.
  bool run() {
    const CURLcode code = curl_easy_perform(curl_.get());
    if (progress_) progress_->finish();
    if (failure_) std::rethrow_exception(failure_);
    if (code == CURLE_OK) {
      if (!begun_ && status() == ok) part_.clear();  // an empty answer
      return true;
    }
    if (code == CURLE_HTTP_RETURNED_ERROR && status() == range_not_satisfiable && part_.size() > 0) {
      if (range_ && range_->total == part_.size()) return true;  // nothing was missing
      part_.clear();
      return false;
    }
    fail(code);
  }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(curl_.get(), option, value);
  }
  long status() const {
    long code = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t bytes, void* self) {
    const std::string_view line(data, bytes);
    constexpr std::string_view name = "content-range:";
    const auto equal = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
    if (bytes > name.size() && std::equal(name.begin(), name.end(), line.begin(),
                                          [&](char wanted, char given) { return equal(given, wanted); }))
      static_cast<Transfer*>(self)->range_ = content_range(line.substr(name.size()));
    return bytes;
  }

  // Called about every second, whatever comes.
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.stalled_ = seconds_now() - transfer.last_ > transfer.options_.timeout;
    return transfer.stalled_ ? 1 : 0;
  }

  // Exceptions must not pass through libcurl.
  static std::size_t on_data(char* data, std::size_t, std::size_t bytes, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      if (!transfer.begun_) transfer.begin();
      transfer.take(data, bytes);
      return bytes;
    } catch (...) {
      transfer.failure_ = std::current_exception();
      return 0;
    }
  }

  void begin() {
    begun_ = true;
    const char* type = nullptr;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_TYPE, &type);
    RZ_CHECK(file, !type || std::string_view(type).find("html") == std::string_view::npos,
             "{}: the server answers with an HTML page, not with data (--url gives another address)", url_);
    const bool goes_on = status() == partial && range_ && range_->start == part_.size();
    if (!goes_on) part_.clear();
    RZ_CHECK(file, goes_on || status() != partial,
             "{}: the server sends another part than it was asked for (run again)", url_);
    curl_off_t length = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    first_ = part_.size();
    if (length < 0) return;
    const std::uint64_t total = first_ + static_cast<std::uint64_t>(length);
    check_limit(total);
    check_space(part_.path(), static_cast<std::uint64_t>(length), "data fetch");
    progress_ = std::make_unique<Progress>(url_.substr(url_.rfind('/') + 1), static_cast<std::int64_t>(total),
                                           static_cast<std::int64_t>(first_));
  }

  void take(const char* data, std::size_t bytes) {
    check_limit(part_.size() + bytes);
    part_.append(data, bytes);
    last_ = seconds_now();
    const auto done = static_cast<std::int64_t>(part_.size());
    if (!progress_ || !progress_->due(done)) return;
    const double seconds = seconds_now() - start_;
    const double rate = seconds > 0 ? static_cast<double>(part_.size() - first_) / seconds : 0;
    progress_->update(done, fmt::format("bytes  {}/s", byte_text(static_cast<std::uint64_t>(rate))));
  }

  void check_limit(std::uint64_t bytes) const {
    if (bytes <= options_.limit) return;
    part_.clear();
    RZ_FAIL(file, "{}: the server sends more than the {} that the file may have (--url gives another address)", url_,
            byte_text(options_.limit));
  }

  [[noreturn]] void fail(CURLcode code) const {
    const std::string kept = part_.size() == 0
                                 ? "--url gives another address"
                                 : fmt::format("{} bytes are kept in {}: the same command goes on from there",
                                               grouped(part_.size()), part_.path());
    RZ_CHECK(file, code != CURLE_HTTP_RETURNED_ERROR, "{}: the server answers {}{} (--url gives another address)", url_,
             status(), status() == 404 ? ", not found" : "");
    RZ_CHECK(file, code != CURLE_OPERATION_TIMEDOUT && !stalled_, "{}: stalled: {} came for {} s ({})", url_,
             begun_ ? "next to nothing" : "no answer", options_.timeout, kept);
    RZ_FAIL(file, "{}: {} ({})", url_, printable(reason_[0] ? reason_ : curl_easy_strerror(code)), kept);
  }

  std::string url_;
  Part& part_;
  const DownloadOptions& options_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
  char reason_[CURL_ERROR_SIZE] = "";
  std::optional<ContentRange> range_;
  bool begun_ = false;
  std::uint64_t first_ = 0;
  double start_ = seconds_now(), last_ = start_;  // the last: when something came
  bool stalled_ = false;
  std::unique_ptr<Progress> progress_;
  std::exception_ptr failure_;
};

}  // namespace

void download(const std::string& url, const std::string& path, const DownloadOptions& options) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  RZ_CHECK(library, started == CURLE_OK, "{}: libcurl could not be started", url);
  Part part(path);
  if (!Transfer(url, part, options).run()) Transfer(url, part, options).run();
  part.sync();
}

}  // namespace rz::tool
