#include "admin/sample_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "admin/services.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using Findings = std::vector<base::Finding>;

constexpr std::size_t kUrlBytesMax = 8192, kValueBytesMax = 8192, kFieldsMax = 100, kNameBytesMax = 128;
constexpr std::string_view kForm = "application/x-www-form-urlencoded", kJson = "application/json";

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// {"name": "text", "other": ["one", "two"]}: each value with its name, in the order of the document.
void read_fields(base::ObjectReader& reader, std::string_view member, Findings& findings,
                 const std::function<void(std::string_view name, std::string_view value, const std::string& path)>& visit) {
  const json::value* fields = reader.member(member);
  if (fields == nullptr) return;
  if (!fields->is_object()) return reader.finding(member, "type", "must be an object of texts");
  std::size_t count = 0;
  const auto take = [&](std::string_view name, const json::value& value, const std::string& path) {
    if (!value.is_string()) {
      findings.push_back({path, "type", "must be a text or a list of texts"});
    } else if (value.get_string().size() > kValueBytesMax) {
      findings.push_back({path, "length", fmt::format("must have at most {} bytes", kValueBytesMax)});
    } else if (++count == kFieldsMax + 1) {
      reader.finding(member, "length", fmt::format("must have at most {} values", kFieldsMax));
    } else if (count <= kFieldsMax) {
      visit(name, view(value.get_string()), path);
    }
  };
  for (const auto& [key, value] : fields->get_object()) {
    const std::string_view name(key.data(), key.size());
    const std::string path = fmt::format("{}.{}", member, base::printable(name.substr(0, kNameBytesMax)));
    if (name.empty() || name.size() > kNameBytesMax) {
      findings.push_back({path, "length", fmt::format("a name must have 1 to {} bytes", kNameBytesMax)});
    } else if (value.is_array()) {
      for (const json::value& one : value.get_array()) take(name, one, path);
    } else {
      take(name, value, path);
    }
  }
}

void append_pair(std::string& out, std::string_view name, std::string_view value) {
  out.append(base::percent_encode(name)).append("=").append(base::percent_encode(value));
}

// name=value&other=value, decoded or not.
void note_pairs(std::string_view pairs, char separator, std::vector<std::string>& out) {
  for (const std::string_view field : base::split(pairs, separator)) {
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view value = base::trim(field.substr(equals + 1));
    out.emplace_back(value);
    if (auto decoded = base::percent_decode(value)) out.push_back(std::move(*decoded));
  }
}

// A path, or a whole URL with host and scheme; what stands there is sent as it is.
void read_url(base::ObjectReader& reader, Sample& sample) {
  std::string url = "/";
  reader.text("url", url, 1, kUrlBytesMax);
  std::string_view rest = url;
  for (const auto& [scheme, tls] : {std::pair<std::string_view, bool>{"https://", true}, {"http://", false}}) {
    if (!base::starts_with_ignore_case(rest, scheme)) continue;
    sample.request.tls = tls;
    rest.remove_prefix(scheme.size());
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    sample.request.host = rest.substr(0, end);
    rest.remove_prefix(end);
    if (sample.request.host.empty() || sample.request.host.find('@') != std::string::npos)
      return reader.finding("url", "value", "must have a host without user name and password");
    break;
  }
  const bool is_whole = rest.size() < url.size();
  sample.request.target = is_whole && !rest.starts_with('/') ? "/" + std::string(rest) : std::string(rest);
  const bool has_strange = std::any_of(url.begin(), url.end(), [](char c) { return c <= 0x20 || c >= 0x7f || c == '#'; });
  if (!sample.request.target.starts_with('/') || has_strange)
    reader.finding("url", "value", "must be a path or an http or https URL, percent-encoded and without a fragment");
  // Credentials may stand in it.
  const std::size_t mark = sample.request.target.find('?');
  if (mark == std::string::npos) return;
  note_pairs(std::string_view(sample.request.target).substr(mark + 1), '&', sample.values);
}

// The whole value, and what a function may take out of it: what follows a scheme, a password of Basic, a cookie.
void note_header(std::string_view lower, std::string_view value, std::vector<std::string>& out) {
  out.emplace_back(value);
  if (lower == "cookie") note_pairs(value, ';', out);
  const std::size_t blank = value.find(' ');
  if (blank == std::string_view::npos) return;
  const std::string_view rest = base::trim(value.substr(blank));
  out.emplace_back(rest);
  if (!base::equals_ignore_case(value.substr(0, blank), "basic")) return;
  const auto pair = base::base64_decode(rest);
  if (!pair) return;
  out.push_back(*pair);
  if (const std::size_t colon = pair->find(':'); colon != std::string::npos) out.push_back(pair->substr(colon + 1));
}

void read_headers(base::ObjectReader& reader, Sample& sample, Findings& findings) {
  read_fields(reader, "headers", findings, [&](std::string_view name, std::string_view value, const std::string& path) {
    const std::string lower = base::to_lower(name);
    if (!base::is_token(name)) {
      findings.push_back({path, "value", "is no name of a header"});
    } else if (lower == "host") {
      findings.push_back({path, "value", "is taken from the url: give a whole URL"});
    } else if (lower == "content-length" || lower == "transfer-encoding") {
      findings.push_back({path, "value", "is made from the body"});
    } else if (base::has_control(value)) {
      findings.push_back({path, "value", "must have no control characters"});
    } else {
      sample.request.headers.emplace_back(lower, base::trim(value));
      note_header(lower, base::trim(value), sample.values);
    }
  });
}

// Texts inside a JSON body, whatever they are called.
void note_texts(const json::value& value, std::vector<std::string>& out) {
  if (value.is_string()) out.emplace_back(view(value.get_string()));
  if (value.is_array()) {
    for (const json::value& one : value.get_array()) note_texts(one, out);
  }
  if (value.is_object()) {
    for (const auto& member : value.get_object()) note_texts(member.value(), out);
  }
}

// A text is sent as it is, an object or a list as JSON, a form urlencoded. The media type that fits, unless a header says one.
void read_body_of(base::ObjectReader& reader, Sample& sample, Findings& findings) {
  std::string_view media_type;
  const json::value* form = reader.member("form");
  read_fields(reader, "form", findings, [&](std::string_view name, std::string_view value, const std::string&) {
    if (!sample.request.body.empty()) sample.request.body += '&';
    append_pair(sample.request.body, name, value);
    sample.values.emplace_back(value);
  });
  if (form != nullptr) media_type = kForm;
  if (const json::value* body = reader.member("body"); body != nullptr && !body->is_null()) {
    if (form != nullptr) return reader.finding("body", "value", "give either body or form");
    if (body->is_string()) {
      sample.request.body = view(body->get_string());
      note_pairs(sample.request.body, '&', sample.values);
      if (const auto inside = base::parse_json(sample.request.body); inside.ok()) note_texts(*inside, sample.values);
    } else if (body->is_object() || body->is_array()) {
      sample.request.body = base::to_json(*body);
      media_type = kJson;
    } else {
      return reader.finding("body", "type", "must be a text, or an object or list to be sent as JSON");
    }
    note_texts(*body, sample.values);
  }
  const bool has_type = std::any_of(sample.request.headers.begin(), sample.request.headers.end(),
                                    [](const auto& header) { return header.first == "content-type"; });
  if (!media_type.empty() && !has_type) sample.request.headers.emplace_back("content-type", media_type);
}

// What the server would refuse of a real request before anybody asks who sends it.
void check_sizes(const Context& context, const service::SampleRequest& sample, Findings& findings) {
  const domain::Limits& limits = context.services.settings.limits;
  const auto check = [&](std::string_view member, std::size_t bytes, std::int64_t bytes_max) {
    if (std::cmp_greater(bytes, bytes_max))
      findings.push_back({std::string(member), "length", fmt::format("has {} bytes, this server takes {}", bytes, bytes_max)});
  };
  std::size_t header_bytes = 0;
  for (const auto& [name, value] : sample.headers) header_bytes += name.size() + value.size();
  check("url", sample.target.size(), limits.request_line_bytes);
  check("headers", header_bytes, limits.header_bytes);
}

}  // namespace

Sample read_sample(const Context& context, const json::value& body, Findings& findings) {
  Sample sample;
  sample.request.trace_id = context.request.trace_id;
  sample.request.host = context.request.host;
  base::ObjectReader reader(body, "", findings);
  std::string method, address;
  reader.choice("method", method, {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}).text("address", address, 1, 64);
  read_url(reader, sample);
  read_fields(reader, "query", findings, [&](std::string_view name, std::string_view value, const std::string&) {
    sample.request.target += sample.request.target.find('?') == std::string::npos ? '?' : '&';
    append_pair(sample.request.target, name, value);
    sample.values.emplace_back(value);
  });
  read_headers(reader, sample, findings);
  read_body_of(reader, sample, findings);
  reader.finish();
  sample.request.headers.emplace_back("host", sample.request.host);
  sample.request.method = !method.empty() ? method : sample.request.body.empty() ? "GET" : "POST";
  sample.request.address = context.request.address;
  if (const auto parsed = domain::Address::parse(address)) {
    sample.request.address = *parsed;
  } else if (!address.empty()) {
    reader.finding("address", "value", "must be an IPv4 or IPv6 address");
  }
  check_sizes(context, sample.request, findings);
  return sample;
}

}  // namespace funcgate::admin
