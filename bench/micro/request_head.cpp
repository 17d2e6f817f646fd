// From the bytes of a head to a Call, beside the same library's own parser as its examples use it.
#include <benchmark/benchmark.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>
#include <string>

#include "base/check.h"
#include "http/request_parser.h"

namespace funcgate::micro {
namespace {

const std::string kProgram =
    "POST /api/v1/func-api/basket/s HTTP/1.1\r\nHost: fn.example.net\r\nAuthorization: Basic bWlhOmxvbmcgcGFzczp3b3Jk\r\n"
    "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n";
const std::string kBrowser =
    "GET /api/v1/func-api/basket/s?a=2&b=3 HTTP/1.1\r\nHost: fn.example.net\r\nConnection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "*/*;q=0.8\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\nX-Shop-Token: "
    "w9-Kq3vT-north\r\n\r\n";

// As the connection does: its end is found, then it is parsed; the list of headers keeps its memory between calls. Parsing
// lowers names in place, so each pass begins with fresh bytes.
void parse(benchmark::State& state, const std::string& head) {
  const domain::Limits limits;
  domain::Call call;
  std::string bytes;
  for (auto _ : state) {
    bytes.assign(head);
    call.headers.clear();
    http::HeadSearch search;
    std::optional<domain::Refusal> refusal;
    http::ParsedHead parsed;
    CHECK(http::find_head(bytes, search, limits, refusal) == http::HeadState::Complete);
    CHECK(!http::parse_head(bytes.data(), search.head_bytes, limits, call, parsed) && call.headers.size() > 3);
    benchmark::DoNotOptimize(call);
  }
}

void beast(benchmark::State& state, const std::string& head) {
  std::string bytes;
  for (auto _ : state) {
    bytes.assign(head);
    boost::beast::http::request_parser<boost::beast::http::empty_body> parser;
    boost::beast::error_code error;
    parser.put(boost::asio::buffer(bytes), error);
    CHECK(!error && parser.is_header_done());
    benchmark::DoNotOptimize(parser);
  }
}

BENCHMARK_CAPTURE(parse, program, kProgram)->Name("head/program");
BENCHMARK_CAPTURE(beast, program, kProgram)->Name("head/program|Beast");
BENCHMARK_CAPTURE(parse, browser, kBrowser)->Name("head/browser");
BENCHMARK_CAPTURE(beast, browser, kBrowser)->Name("head/browser|Beast");

}  // namespace
}  // namespace funcgate::micro
