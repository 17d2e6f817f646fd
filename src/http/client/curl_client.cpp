#include "http/client/curl_client.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <ctime>

#include "base/check.h"
#include "base/text.h"

namespace funcgate::http {
namespace {

using base::Code;
using base::Error;

// libcurl, loaded with the first request: it brings two dozen libraries along, of which a server, which never sends one, would
// keep megabytes in memory for nothing and for which it would start later.
struct Library {
  bool loaded = false;
  std::string problem;  // why not
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_easy_reset) easy_reset = nullptr;
  decltype(&curl_easy_setopt) easy_setopt = nullptr;
  decltype(&curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&curl_easy_perform) easy_perform = nullptr;
  decltype(&curl_easy_strerror) easy_strerror = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;

  Library() {
    handle_ = ::dlopen(FUNCGATE_LIBCURL, RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      problem = ::dlerror();
      return;
    }
    loaded = find("curl_easy_init", easy_init) && find("curl_easy_cleanup", easy_cleanup) &&
             find("curl_easy_reset", easy_reset) && find("curl_easy_setopt", easy_setopt) &&
             find("curl_easy_getinfo", easy_getinfo) && find("curl_easy_perform", easy_perform) &&
             find("curl_easy_strerror", easy_strerror) && find("curl_slist_append", slist_append) &&
             find("curl_slist_free_all", slist_free_all);
  }

 private:
  template <class Function>
  bool find(const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(handle_, name));
    if (function == nullptr) {
      const char* const why = ::dlerror();
      problem = why != nullptr ? why : name;
    }
    return function != nullptr;
  }

  void* handle_ = nullptr;  // never closed: what it started would have to be ended
};

const Library& library() {
  static const Library& only = *new Library;
  return only;
}

struct Received {
  IncomingReply reply;
  std::size_t bytes = 0, bytes_max = 0;
  bool too_large = false;

  bool add(std::size_t more) {
    bytes += more;
    too_large = too_large || bytes > bytes_max;
    return !too_large;
  }
};

// Any number but `size * count` ends the transfer (CURLOPT_WRITEFUNCTION).
std::size_t take_body(char* data, std::size_t size, std::size_t count, void* target) {
  auto& received = *static_cast<Received*>(target);
  if (!received.add(size * count)) return 0;
  received.reply.body.append(data, size * count);
  return size * count;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* target) {
  auto& received = *static_cast<Received*>(target);
  if (!received.add(size * count)) return 0;
  const std::string_view line = base::trim(std::string_view(data, size * count));
  // A status line begins the head of the next answer: what came before was an interim one.
  if (line.starts_with("HTTP/")) received.reply.headers.clear();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with("HTTP/")) return size * count;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
  received.reply.headers.emplace_back(base::to_lower(line.substr(0, colon)), std::string(base::trim(value)));
  return size * count;
}

Error error_of(CURLcode code, const OutgoingRequest& request, std::string_view text) {
  const std::string_view reason = text.empty() ? std::string_view(library().easy_strerror(code)) : text;
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Code::InvalidArgument, fmt::format("{} is not an http or https address", request.url), {}};
    case CURLE_OPERATION_TIMEDOUT:
      return {Code::DeadlineExceeded, fmt::format("no answer from {} in time: {}", request.url, reason), {}};
    case CURLE_SSL_CACERT_BADFILE:
      return {Code::InvalidArgument, fmt::format("the certificates of {} cannot be read: {}", request.ca_file, reason), {}};
    default: return {Code::Unavailable, fmt::format("cannot reach {}: {}", request.url, reason), {}};
  }
}

// "Expire date:Nov 22 08:27:00 2027 GMT", as libcurl tells it of the first certificate of the chain.
std::optional<base::WallMs> read_expiry(const curl_certinfo* chain) {
  if (chain == nullptr || chain->num_of_certs < 1) return std::nullopt;
  constexpr std::string_view kName = "Expire date:";
  for (const curl_slist* entry = chain->certinfo[0]; entry != nullptr; entry = entry->next) {
    const std::string_view line = entry->data;
    if (!line.starts_with(kName)) continue;
    std::tm time{};
    if (::strptime(std::string(base::trim(line.substr(kName.size()))).c_str(), "%b %d %H:%M:%S %Y", &time) == nullptr)
      return std::nullopt;
    return static_cast<base::WallMs>(::timegm(&time)) * 1000;
  }
  return std::nullopt;
}

class HeaderList {
 public:
  ~HeaderList() {
    // The credential stands in one of these lines.
    for (curl_slist* line = list_; line != nullptr; line = line->next) {
      for (char* c = line->data; *c != '\0'; ++c) *static_cast<volatile char*>(c) = '\0';
    }
    library().slist_free_all(list_);
  }
  bool add(std::string_view name, std::string_view value) {
    if (!base::is_token(name) || base::has_control(value)) return false;
    std::string line;
    line.reserve(name.size() + value.size() + 3);
    line.append(name).append(": ").append(value);
    curl_slist* const longer = library().slist_append(list_, line.c_str());
    base::wipe(line);
    if (longer == nullptr) return false;
    list_ = longer;
    return true;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace

struct CurlClient::Handle {
  CURL* const curl;
  Handle() : curl(library().easy_init()) { CHECK(curl != nullptr); }
  ~Handle() { library().easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

std::string_view IncomingReply::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

CurlClient::CurlClient() = default;
CurlClient::~CurlClient() = default;
CurlClient::CurlClient(CurlClient&&) noexcept = default;
CurlClient& CurlClient::operator=(CurlClient&&) noexcept = default;

base::Result<IncomingReply> CurlClient::send(const OutgoingRequest& request) {
  if (!library().loaded)
    return Error{Code::Unavailable, fmt::format("requests cannot be sent: {}; install libcurl4", library().problem), {}};
  if (!handle_) handle_ = std::make_unique<Handle>();
  CURL* const curl = handle_->curl;
  library().easy_reset(curl);
  HeaderList headers;
  bool sendable = true;
  for (const auto& [name, value] : request.headers) sendable = sendable && headers.add(name, value);
  if (!request.authorization.empty()) sendable = sendable && headers.add("Authorization", request.authorization.reveal());
  if (!sendable) return Error{Code::InvalidArgument, "a header of the request cannot be sent", {}};

  Received received;
  received.bytes_max = request.reply_bytes_max;
  char problem[CURL_ERROR_SIZE] = "";
  const bool encrypted = base::starts_with_ignore_case(request.url, "https:");
  library().easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  if (library().easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK) {
    return Error{Code::Unavailable, "libcurl is too old: 7.85 or newer is needed", {}};
  }
  library().easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  library().easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  library().easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  library().easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  library().easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(request.connect_timeout_s));
  library().easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(request.timeout_s));
  library().easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  library().easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  library().easy_setopt(curl, CURLOPT_WRITEDATA, &received);
  library().easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  library().easy_setopt(curl, CURLOPT_HEADERDATA, &received);
  library().easy_setopt(curl, CURLOPT_CERTINFO, 1L);
  if (!encrypted) library().easy_setopt(curl, CURLOPT_PROXY, "");
  if (!request.ca_file.empty()) library().easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
  if (request.body) {
    library().easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    library().easy_setopt(curl, CURLOPT_POSTFIELDS, request.body->data());
  }
  const CURLcode code = library().easy_perform(curl);
  if (received.too_large)
    return Error{Code::PayloadTooLarge, fmt::format("the answer has more than {} bytes", request.reply_bytes_max), {}};
  if (code != CURLE_OK) return error_of(code, request, problem);
  long status = 0;
  library().easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  received.reply.status = static_cast<int>(status);
  curl_certinfo* chain = nullptr;
  if (encrypted && library().easy_getinfo(curl, CURLINFO_CERTINFO, &chain) == CURLE_OK)
    received.reply.certificate_ends_ms = read_expiry(chain);
  return std::move(received.reply);
}

}  // namespace funcgate::http
