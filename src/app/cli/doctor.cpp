#include "app/cli/doctor.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::app::cli {
namespace {

using base::Code;

constexpr base::WallMs kDayMs = 24 * 3'600'000, kClockWarnMs = 5'000, kClockFailMs = 60'000;
constexpr base::WallMs kExpiryWarnMs = 21 * kDayMs;

enum class Verdict { Ok, Warn, Fail };

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Ok: return "ok";
    case Verdict::Warn: return "warn";
    case Verdict::Fail: return "fail";
  }
  return "fail";
}

// Findings in the order in which they were made.
class Findings {
 public:
  void add(Verdict verdict, std::string_view check, std::string found, std::string remedy = {}) {
    failed_ = failed_ || verdict == Verdict::Fail;
    json::object row{{"verdict", json::string_view(verdict_name(verdict).data(), verdict_name(verdict).size())}};
    row["check"] = json::string_view(check.data(), check.size());
    row["found"] = found;
    row["remedy"] = remedy.empty() ? json::value() : json::value(remedy);
    rows_.push_back(std::move(row));
  }
  bool failed() const { return failed_; }
  void show(Format format) const {
    if (format != Format::Table) return print(format, rows_);
    for (const json::value& row : rows_) {
      fmt::print("{:<5} {:<12} {}\n", cell_text(row, "verdict"), cell_text(row, "check"), cell_text(row, "found"));
      if (const std::string remedy = cell_text(row, "remedy"); remedy != "-") fmt::print("{:<18} → {}\n", "", remedy);
    }
  }

 private:
  json::array rows_;
  bool failed_ = false;
};

std::string days(base::WallMs span_ms) { return fmt::format("{} days", span_ms / kDayMs); }

// "Mon, 02 Mar 2026 09:15:00 GMT" (RFC 9110, 5.6.7).
std::optional<base::WallMs> parse_http_date(const std::string& text) {
  std::tm time{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) return std::nullopt;
  return static_cast<base::WallMs>(::timegm(&time)) * 1000;
}

void check_clock(const ApiReply& reply, base::WallMs now_ms, Findings& findings) {
  const auto told = parse_http_date(reply.date);
  if (!told) return;
  // The header has whole seconds.
  const base::WallMs apart_ms = std::abs(now_ms - *told);
  const std::string found = fmt::format("the server's clock and this one are {} s apart", apart_ms / 1000);
  const std::string remedy = "synchronise the clocks: keys and sessions are judged by them";
  if (apart_ms >= kClockFailMs) return findings.add(Verdict::Fail, "clock", found, remedy);
  findings.add(apart_ms >= kClockWarnMs ? Verdict::Warn : Verdict::Ok, "clock", found, apart_ms >= kClockWarnMs ? remedy : "");
}

void check_certificate(const ApiClient& client, const ApiReply& reply, base::WallMs now_ms, Findings& findings) {
  if (reply.certificate_ends_ms) {
    const base::WallMs left_ms = *reply.certificate_ends_ms - now_ms;
    const std::string found =
        fmt::format("valid until {}, {} from now", base::format_rfc3339(*reply.certificate_ends_ms), days(left_ms));
    const bool soon = left_ms < kExpiryWarnMs;
    findings.add(soon ? Verdict::Warn : Verdict::Ok, "certificate", found, soon ? "renew it and restart the server" : "");
  } else if (client.connection().remote() && client.connection().plain_http) {
    findings.add(Verdict::Warn, "encryption", "the address is plain HTTP", "use https: keys travel in clear");
  }
}

void check_ready(ApiClient& client, Findings& findings) {
  const auto reply = client.probe("/readyz");
  if (!reply.ok()) return findings.add(Verdict::Fail, "ready", reply.error().message);
  const auto document = base::parse_json(reply->text);
  const json::value state = document.ok() ? *document : json::value();
  if (reply->status == 200) {
    findings.add(Verdict::Ok, "ready", "calls are served");
  } else {
    findings.add(Verdict::Fail, "ready", fmt::format("/readyz answers {}", reply->status),
                 "look into the server's log; it starts, stops, or its workers fail");
  }
  const json::value* degraded = member(state, "degraded");
  if (degraded == nullptr || !degraded->is_array()) return;
  for (const json::value& purpose : degraded->get_array()) {
    const std::string name = purpose.is_string() ? std::string(purpose.get_string()) : base::to_json(purpose);
    findings.add(Verdict::Warn, "degraded", fmt::format("\"{}\" cannot be used: its secret is missing or unusable", name),
                 "funcgate keystore check tells which alias, and the command that mends it");
  }
}

// What was found out with the caller's credentials; a missing privilege is no fault of the server.
void check_keystore(ApiClient& client, Findings& findings) {
  const auto entries = client.get("/keystore");
  if (!entries.ok()) {
    if (entries.error().code != Code::PermissionDenied && entries.error().code != Code::NotFound)
      findings.add(Verdict::Fail, "keystore", entries.error().message);
    return;
  }
  std::size_t usable = 0;
  if (!entries->is_array()) return;
  for (const json::value& entry : entries->get_array()) {
    const std::string status = text_member(entry, "status");
    if (status == "ok") {
      ++usable;
    } else {
      findings.add(Verdict::Fail, "keystore", fmt::format("{}: {}", text_member(entry, "alias"), status));
    }
  }
  findings.add(usable > 0 ? Verdict::Ok : Verdict::Fail, "keystore", fmt::format("{} secrets can be used", usable));
}

void check_server(ApiClient& client, Findings& findings) {
  const auto server = client.get("/server");
  if (!server.ok()) return;
  const std::string version = text_member(*server, "version");
  const bool same = version == FUNCGATE_VERSION;
  findings.add(same ? Verdict::Ok : Verdict::Warn, "version",
               fmt::format("server {}, this program {}", version, FUNCGATE_VERSION),
               same ? "" : "use the program of the server's version");
}

void check_open_apis(ApiClient& client, Findings& findings) {
  const auto endpoints = client.get("/public-endpoints?limit=200");
  if (!endpoints.ok() || !endpoints->is_array()) return;
  std::size_t open = 0;
  for (const json::value& row : endpoints->get_array()) {
    const json::value* active = member(row, "active");
    if (text_member(row, "kind") == "api" && active != nullptr && active->is_bool() && active->get_bool()) ++open;
  }
  findings.add(open == 0 ? Verdict::Ok : Verdict::Warn, "open", fmt::format("{} APIs answer without credentials", open),
               open == 0 ? "" : "funcgate public-endpoints says which, who opened them and why");
}

void check_caller(ApiClient& client, base::WallMs now_ms, Findings& findings) {
  if (client.connection().remote() && !client.has_token()) {
    return findings.add(Verdict::Warn, "credential", "no key was given: what needs one was not checked",
                        "--token-file FILE, or FUNCGATE_TOKEN_FILE");
  }
  const auto me = client.get("/me");
  if (!me.ok()) {
    return findings.add(Verdict::Fail, "credential", me.error().message.substr(0, me.error().message.find('\n')),
                        "the key needs the scope management, and an enabled owner with the privilege Use API Key");
  }
  const std::string key_id = text_member(*me, "keyId");
  findings.add(Verdict::Ok, "credential", fmt::format("this is {}", text_member(*me, "login")));
  if (key_id.empty()) return;
  const auto key = client.get("/me/api-keys/" + base::percent_encode(key_id));
  const auto ends = key.ok() ? base::parse_rfc3339(text_member(*key, "expiresAt")) : base::Result<base::WallMs>(base::Error{});
  if (!ends.ok()) return;
  const bool soon = *ends - now_ms < kExpiryWarnMs;
  findings.add(soon ? Verdict::Warn : Verdict::Ok, "key", fmt::format("ends in {}", days(*ends - now_ms)),
               soon ? "funcgate key reissue makes its successor" : "");
}

}  // namespace

base::Result<int> examine(Run& run) {
  Findings findings;
  const auto health = run.client.probe("/healthz");
  const base::WallMs now_ms = base::SystemClock().wall_ms();
  if (!health.ok()) {
    findings.add(Verdict::Fail, "reachable", health.error().message,
                 run.client.connection().remote() ? "check the address, the certificate (--ca-file) and the firewall"
                                                  : "start it with: funcgate serve --data " + run.client.connection().data_dir);
    findings.show(run.format);
    return 6;
  }
  const bool healthy = health->status == 200;
  findings.add(healthy ? Verdict::Ok : Verdict::Fail, "reachable",
               fmt::format("{} answers {}", run.client.place(), health->status),
               healthy ? "" : "something else answers at this address");
  check_certificate(run.client, *health, now_ms, findings);
  check_clock(*health, now_ms, findings);
  check_ready(run.client, findings);
  check_caller(run.client, now_ms, findings);
  check_server(run.client, findings);
  check_keystore(run.client, findings);
  check_open_apis(run.client, findings);
  findings.show(run.format);
  return findings.failed() ? 1 : 0;
}

}  // namespace funcgate::app::cli
