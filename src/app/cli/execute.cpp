// A row of the table as a call: path, query or body, If-Match; then the answer as text.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/cli/command.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::app::cli {
namespace {

using base::Error;
using base::Result;

constexpr std::size_t kRowsMax = 10'000, kPageSize = 200;
constexpr std::int64_t kMsPerHour = 3'600'000;

std::string_view long_name(std::string_view name) {
  const std::size_t comma = name.find(',');
  return comma == std::string_view::npos ? name : name.substr(comma + 1);
}

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}

// The value of an option as JSON.
Result<json::value> value_of(ApiClient& client, const Option& option, const std::vector<std::string>& given) {
  const std::string text = given.empty() ? std::string() : given.back();
  switch (option.form) {
    case Form::Text: {
      TRY(std::string id, look_up(client, option.lookup, text));
      return json::value(std::move(id));
    }
    case Form::Local:
    case Form::LocalSet: return json::value(text);
    case Form::Texts: return json::value(texts(given));
    case Form::Set: return json::value(true);
    case Form::Clear: return json::value(false);
    case Form::YesNo:
      if (text == "yes" || text == "no") return json::value(text == "yes");
      return usage_error(fmt::format("{} {}: give yes or no", option.name, text));
    case Form::Number: {
      const auto number = base::parse_int(text);
      if (number) return json::value(*number);
      return usage_error(fmt::format("{} {}: give a whole number", option.name, text));
    }
    case Form::Hours: {
      const auto span = parse_span_ms(text);
      if (span && *span % kMsPerHour == 0) return json::value(*span / kMsPerHour);
      return usage_error(fmt::format("{} {}: give whole hours, as 24h or 2d", option.name, text));
    }
    case Form::Moment: {
      TRY(const std::string moment, parse_moment(option.name, text, base::SystemClock().wall_ms()));
      return moment.empty() ? json::value() : json::value(moment);
    }
    case Form::Scopes: {
      json::array scopes;
      for (const std::string& one : given) {
        for (const std::string_view scope : base::split(one, ','))
          scopes.emplace_back(json::string_view(scope.data(), scope.size()));
      }
      return json::value(std::move(scopes));
    }
  }
  return json::value();
}

// "owner.flow" makes {"owner": {"flow": …}}.
void set_member(json::object& body, std::string_view path, json::value value) {
  const std::size_t dot = path.find('.');
  const std::string_view name = path.substr(0, dot);
  json::value& target = body[json::string_view(name.data(), name.size())];
  if (dot == std::string_view::npos) {
    target = std::move(value);
    return;
  }
  if (!target.is_object()) target = json::object();
  set_member(target.get_object(), path.substr(dot + 1), std::move(value));
}

std::string query_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  return value.is_null() ? std::string() : base::to_json(value);
}

// The path with the positionals put in, encoded.
std::string fill(std::string_view target, const std::vector<std::string>& ids) {
  std::string out(target);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string place = fmt::format("{{{}}}", i);
    if (const std::size_t at = out.find(place); at != std::string::npos)
      out.replace(at, place.size(), base::percent_encode(ids[i]));
  }
  return out;
}

// A sentence with the words that the person wrote, not with ids.
std::string sentence(std::string_view text, const std::vector<std::string>& words) {
  std::string out(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string place = fmt::format("{{{}}}", i);
    if (const std::size_t at = out.find(place); at != std::string::npos) out.replace(at, place.size(), "\"" + words[i] + "\"");
  }
  return out;
}

bool in_path(const Command& command, std::size_t positional) {
  return positional >= command.positional_members.size() || command.positional_members[positional].empty();
}

Result<std::string> path_of(const Run& run, const std::vector<std::string>& ids) {
  std::string path = fill(run.command.target, ids);
  if (run.command.method != "GET") return path;
  for (const Option& option : run.command.options) {
    const auto given = run.values.options.find(long_name(option.name));
    if (given == run.values.options.end() || option.member.empty()) continue;
    TRY(const json::value value, value_of(run.client, option, given->second));
    append_query(path, option.member, query_text(value));
  }
  return path;
}

Result<int> show(Run& run, const ApiReply& reply, const std::vector<std::string>& words) {
  print_warnings(reply);
  if (reply.status == 204 || reply.data.is_null()) {
    if (run.format == Format::Table) fmt::print("{}\n", sentence(run.command.done, words));
    return 0;
  }
  print(run.format, reply.data, run.command.columns);
  return 0;
}

Result<int> list(Run& run, const std::string& path) {
  std::size_t rows_max = kRowsMax;
  if (run.values.given("--limit")) {
    const auto limit = base::parse_digits(run.values.text("--limit"));
    if (!limit || *limit < 1) return usage_error("--limit must be a number from 1");
    rows_max = std::min<std::size_t>(rows_max, static_cast<std::size_t>(*limit));
  }
  bool more = false;
  TRY(const json::array rows, read_list(run.client, path, rows_max, more));
  if (more && !run.values.given("--limit")) fmt::print(stderr, "only the first {} are shown; use a filter\n", rows.size());
  print(run.format, rows, run.command.columns);
  return 0;
}

Result<int> call_once(Run& run, const std::vector<std::string>& ids, const std::vector<std::string>& words) {
  TRY(std::string path, path_of(run, ids));
  if (run.command.pages) return list(run, path);
  ApiCall call;
  call.method = run.command.method;
  call.path = std::move(path);
  if (run.command.if_match) {
    const std::string version = run.values.text("--if-version");
    call.if_match = version.empty() ? "*" : fmt::format("\"{}\"", version);
  }
  if (call.method != "GET" && call.method != "DELETE") {
    TRY(json::object body, make_body(run));
    if (call.method == "PATCH" && body.empty()) return usage_error("nothing is to be changed: give at least one option");
    if (!body.empty() || !run.command.body.empty()) call.body = base::to_json(body);
  }
  TRY(const ApiReply reply, run.client.call(call));
  return show(run, reply, words);
}

}  // namespace

void print_warnings(const ApiReply& reply) {
  for (const std::string& warning : reply.warnings) fmt::print(stderr, "warning: {}\n", warning);
}

Result<json::object> make_body(const Run& run) {
  json::object body;
  if (!run.command.body.empty()) {
    TRY(json::value begin, base::parse_json(run.command.body));
    body = std::move(begin.as_object());
  }
  for (std::size_t i = 0; i < run.command.positional_members.size() && i < run.values.positionals.size(); ++i) {
    if (!in_path(run.command, i)) set_member(body, run.command.positional_members[i], json::value(run.values.positionals[i]));
  }
  for (const Option& option : run.command.options) {
    const auto given = run.values.options.find(long_name(option.name));
    if (given == run.values.options.end() || option.member.empty()) continue;
    TRY(json::value value, value_of(run.client, option, given->second));
    set_member(body, option.member, std::move(value));
  }
  return body;
}

Result<json::array> read_list(ApiClient& client, const std::string& path, std::size_t rows_max, bool& more) {
  json::array rows;
  std::string cursor;
  while (true) {
    ApiCall call;
    call.path = path;
    append_query(call.path, "limit", std::to_string(std::min(kPageSize, rows_max - rows.size())));
    if (!cursor.empty()) append_query(call.path, "cursor", cursor);
    TRY(ApiReply reply, client.call(call));
    if (!reply.data.is_array()) return Error{base::Code::Unavailable, "the server's answer is no list", {}};
    for (json::value& row : reply.data.get_array()) rows.push_back(std::move(row));
    cursor = reply.next_cursor;
    more = !cursor.empty();
    if (!more || rows.size() >= rows_max) return rows;
  }
}

Result<int> execute(Run& run) {
  if (run.command.run) return run.command.run(run);
  const auto& positionals = run.command.positionals;
  const std::size_t fixed = !positionals.empty() && positionals.back().many ? positionals.size() - 1 : positionals.size();
  std::vector<std::string> ids,
      words(run.values.positionals.begin(), run.values.positionals.begin() + static_cast<std::ptrdiff_t>(fixed));
  for (std::size_t i = 0; i < fixed; ++i) {
    TRY(std::string id, look_up(run.client, positionals[i].lookup, run.values.positionals[i]));
    ids.push_back(std::move(id));
  }
  if (fixed == positionals.size()) return call_once(run, ids, words);
  for (std::size_t i = fixed; i < run.values.positionals.size(); ++i) {
    TRY(std::string id, look_up(run.client, positionals.back().lookup, run.values.positionals[i]));
    std::vector<std::string> all = ids, named = words;
    all.push_back(std::move(id));
    named.push_back(run.values.positionals[i]);
    TRY(const int code, call_once(run, all, named));
    if (code != 0) return code;
  }
  return 0;
}

}  // namespace funcgate::app::cli
