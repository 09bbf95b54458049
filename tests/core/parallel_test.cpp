#include "core/parallel.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "support/close.h"

namespace rz::test {
namespace {

// Threads for a test, and the default again.
struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(0); }
};

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

TEST_SUITE("core/parallel") {
  TEST_CASE("every piece runs once [threads]") {
    for (const int n : {1, 2, 3, 8}) {
      const Threads use(n);
      CHECK(threads() == n);
      for (const std::int64_t pieces : {0, 1, 2, 5, 1000}) {
        std::vector<int> runs(static_cast<std::size_t>(pieces));
        parallel_for(pieces, [&](std::int64_t piece) { ++runs[static_cast<std::size_t>(piece)]; });
        CHECK(runs == std::vector<int>(static_cast<std::size_t>(pieces), 1));
      }
    }
  }

  TEST_CASE("many small jobs in a row keep their own arguments [threads]") {
    const Threads use(3);
    for (int job = 0; job < 20000; ++job) {
      int results[4] = {};
      parallel_for(4, [&](std::int64_t piece) { results[piece] = job + static_cast<int>(piece); });
      for (int k = 0; k < 4; ++k) REQUIRE(results[k] == job + k);
    }
  }

  TEST_CASE("ranges cover everything and end at n [threads]") {
    const Threads use(3);
    std::vector<int> runs(1003);
    std::atomic<int> short_ranges{0};
    parallel_ranges(1003, 100, [&](std::int64_t begin, std::int64_t end) {
      if (end - begin < 100) ++short_ranges;
      for (std::int64_t i = begin; i < end; ++i) ++runs[static_cast<std::size_t>(i)];
    });
    CHECK(runs == std::vector<int>(1003, 1));
    CHECK(short_ranges == 1);
    parallel_ranges(0, 100, [&](std::int64_t, std::int64_t) { FAIL("there is nothing to do"); });
  }

  TEST_CASE("nested calls run on the thread that makes them [threads]") {
    const Threads use(3);
    std::atomic<int> inner{0}, elsewhere{0};
    parallel_for(6, [&](std::int64_t) {
      const auto self = std::this_thread::get_id();
      parallel_for(5, [&](std::int64_t) {
        ++inner;
        if (std::this_thread::get_id() != self) ++elsewhere;
      });
    });
    CHECK(inner == 30);
    CHECK(elsewhere == 0);
  }

  TEST_CASE("the first exception comes out, and the pool goes on [threads]") {
    for (const int n : {1, 3}) {
      const Threads use(n);
      for (int round = 0; round < 50; ++round) {
        std::string message;
        try {
          parallel_for(20, [](std::int64_t piece) {
            if (piece >= 7) throw std::runtime_error("piece " + std::to_string(piece));
          });
        } catch (const std::runtime_error& error) {
          message = error.what();
        }
        CHECK(message == "piece 7");
        std::atomic<int> count{0};
        parallel_for(20, [&](std::int64_t) { ++count; });
        CHECK(count == 20);
      }
    }
  }

  TEST_CASE("callers on several threads do not disturb each other [threads]") {
    const Threads use(3);
    std::vector<std::thread> callers;
    std::atomic<std::int64_t> total{0};
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int job = 0; job < 2000; ++job) {
          std::atomic<std::int64_t> sum{0};
          parallel_for(8, [&](std::int64_t piece) { sum += piece; });
          total += sum;
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(total == 4 * 2000 * 28);
  }

  TEST_CASE("a sleeping pool wakes up, and costs nothing while it sleeps [threads]") {
    const Threads use(cores());
    std::atomic<int> count{0};
    for (int round = 0; round < 3; ++round) {
      parallel_for(16, [&](std::int64_t) { ++count; });
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    CHECK(count == 48);
    const double before = processor_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    CHECK(processor_seconds() - before < 0.1);
  }

  TEST_CASE("a forked child has a pool of its own") {
    const Threads threads(3);
    const auto sum = [] {
      std::atomic<std::int64_t> total{0};
      parallel_for(100, [&](std::int64_t piece) { total += piece; });
      return total.load();
    };
    CHECK(sum() == 4950);
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // a child that waits for its parent's threads would wait for ever
      _exit(sum() == 4950 && sum() == 4950 ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(sum() == 4950);
  }

  TEST_CASE("numbers of threads that make no sense are refused") {
    CHECK(mentions(message_of(ErrorCode::value, [] { set_threads(-1); }), {"threads", "-1"}));
    CHECK(mentions(message_of(ErrorCode::value, [] { set_threads(1025); }), {"threads", "1025", "1024"}));
    std::string message;
    parallel_for(2, [&](std::int64_t piece) {
      if (piece == 0) return;
      message = message_of(ErrorCode::value, [] { set_threads(2); });
    });
    CHECK(threads() == cores());
  }

  TEST_CASE("denormals are flushed while asked for, on this thread alone") {
    volatile float tiny = 1e-30f;
    {
      const FlushDenormals flush(true);
      CHECK(tiny * 1e-10f == 0);
      {
        const FlushDenormals nested(true);
        CHECK(tiny * 1e-10f == 0);
      }
      CHECK(tiny * 1e-10f == 0);
      float elsewhere = 0;
      std::thread([&] { elsewhere = tiny * 1e-10f; }).join();
    }
    CHECK(tiny * 1e-10f != 0);
    const FlushDenormals off(false);
    CHECK(tiny * 1e-10f != 0);
  }
}

}  // namespace rz::test
