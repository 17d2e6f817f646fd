// key and secret: what is shown once, and what is never shown.
#include <fmt/format.h>

#include "app/cli/command.h"
#include "base/clock.h"
#include "base/text.h"

namespace funcgate::app::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;

const Positional kKey{"KEY", "Id, NAME, or LOGIN/NAME", Lookup::Key};
const Positional kSecret{"SECRET", "Id or name", Lookup::Secret};
const Option kOut{"--out", "", Form::Local, "FILE", "Write the key to this new file, readable by you alone"};
const Option kVersion{"--if-version", "", Form::Local, "N", "Only if this is still version N of the object"};
const Option kApi{"--api", "apis", Form::Texts, "ID", "Only these APIs; may be repeated"};
const Option kAddress{"--address", "addresses", Form::Texts, "CIDR", "Only from these networks; may be repeated"};

std::vector<Column> key_columns() {
  return {{"NAME", "name"},         {"USER", "user.login"},      {"STATUS", "status"}, {"SCOPES", "scopes"},
          {"EXPIRES", "expiresAt"}, {"LAST USED", "lastUsedAt"}, {"KID", "kid"},       {"ID", "id"}};
}

// The one answer that holds a token: to a file, or to standard output with a word of caution beside it.
Result<int> show_made(Run& run, ApiReply reply) {
  print_warnings(reply);
  json::object* const data = reply.data.if_object();
  const std::string token = text_member(reply.data, "token");
  if (data == nullptr || token.empty()) return Error{Code::Unavailable, "the server's answer holds no key", {}};
  const std::string file = run.values.text("--out");
  if (!file.empty()) {
    if (auto written = write_secret(file, token + "\n"); !written.ok()) {
      // The key exists and nobody knows it: it must not stay behind unnoticed.
      const json::value* key = member(reply.data, "key");
      return Error{written.error().code,
                   fmt::format("{}\n  The key was made and is lost: revoke it with: funcgate key revoke {}",
                               written.error().message, key == nullptr ? std::string() : text_member(*key, "id")),
                   {}};
    }
    data->erase("token");
  }
  if (run.format != Format::Table) {
    print(run.format, reply.data);
    return 0;
  }
  if (const json::value* key = member(reply.data, "key")) print(run.format, *key);
  if (!file.empty()) {
    fmt::print("\nThe key stands in {}\n", file);
  } else {
    fmt::print(stderr, "\nStore the key now; it is not shown again:\n");
    fmt::print("{}\n", token);
  }
  return 0;
}

Result<int> create_key(Run& run) {
  TRY(json::object body, make_body(run));
  TRY(const std::string user, look_up(run.client, Lookup::User, run.values.text("--user")));
  ApiCall call;
  call.method = "POST";
  call.path = "/users/" + user + "/api-keys";
  call.body = base::to_json(body);
  TRY(ApiReply reply, run.client.call(call));
  return show_made(run, std::move(reply));
}

Result<int> reissue_key(Run& run) {
  TRY(const json::object body, make_body(run));
  TRY(const std::string key, look_up(run.client, Lookup::Key, run.values.positionals[0]));
  ApiCall call;
  call.method = "POST";
  call.path = "/api-keys/" + key + "/reissue";
  call.body = base::to_json(body);
  TRY(ApiReply reply, run.client.call(call));
  return show_made(run, std::move(reply));
}

// GET /api-keys, and of these only those of one status, which the server does not filter by: it changes with owners and secrets.
Result<int> list_keys(Run& run) {
  std::string path = "/api-keys";
  for (const auto& [option, name] : {std::pair{"--user", "user"}, {"--kid", "kid"}, {"--name", "name"}}) {
    if (run.values.given(option)) append_query(path, name, run.values.text(option));
  }
  if (run.values.given("--unused")) {
    const auto span = parse_span_ms(run.values.text("--unused"));
    if (!span) return usage_error("--unused: give a length of time, as 90d");
    append_query(path, "unusedSince", base::format_rfc3339(base::SystemClock().wall_ms() - *span));
  }
  bool more = false;
  TRY(json::array rows, read_list(run.client, path, 10'000, more));
  if (run.values.given("--status")) {
    json::array wanted;
    for (json::value& row : rows) {
      if (base::equals_ignore_case(text_member(row, "status"), run.values.text("--status"))) wanted.push_back(std::move(row));
    }
    rows = std::move(wanted);
  }
  if (more) fmt::print(stderr, "only the first 10,000 were looked at; use a filter\n");
  print(run.format, rows, run.command.columns);
  return 0;
}

// The server judges the key as it judges those that are presented: signature, row and owner.
Result<int> inspect_key(Run& run) {
  TRY(const base::SecretString token, read_secret("", "API key"));
  std::string_view text = base::trim(token.reveal());
  if (base::starts_with_ignore_case(text, "bearer ")) text = base::trim(text.substr(7));
  ApiCall call;
  call.method = "POST";
  call.path = "/api-keys/inspect";
  call.body = base::to_json(json::object{{"token", json::string_view(text.data(), text.size())}});
  const auto reply = run.client.call(call);
  base::wipe(*call.body);
  if (!reply.ok()) return reply.error();
  print(run.format, reply->data);
  return text_member(reply->data, "verdict") == "ACTIVE" ? 0 : 1;
}

void add_keys(std::vector<Command>& commands) {
  commands.push_back({.words = "key create",
                      .help = "Make an API key of a user; it is shown once",
                      .method = "POST",
                      .target = "/users/{user}/api-keys",
                      .options = {{"--user", "", Form::Local, "LOGIN", "Owner: calls with the key run as this user", true},
                                  {"--name", "name", Form::Text, "NAME", "What it is for; unique for the owner", true},
                                  {"--expires", "expiresAt", Form::Moment, "WHEN", "90d, a date, a date-time, or never"},
                                  {"--scope", "scopes", Form::Scopes, "api,management", "What it opens [api]"},
                                  kApi,
                                  kAddress,
                                  kOut},
                      .run = create_key});
  commands.push_back({.words = "key list",
                      .help = "Show API keys; never the keys themselves",
                      .target = "/api-keys",
                      .options = {{"--user", "", Form::Local, "LOGIN", "Keys of this user"},
                                  {"--name", "", Form::Local, "NAME", "Keys of this name"},
                                  {"--unused", "", Form::Local, "90d", "Not used for so long"},
                                  {"--kid", "", Form::Local, "KID", "Signed with this secret"},
                                  {"--status", "", Form::Local, "STATUS", "ACTIVE, EXPIRED, REVOKED, OWNER_DISABLED …"}},
                      .columns = key_columns(),
                      .run = list_keys});
  commands.push_back({.words = "key get", .help = "Show one API key", .target = "/api-keys/{0}", .positionals = {kKey}});
  commands.push_back({.words = "key update",
                      .help = "Rename a key or restrict it; a later end needs reissue",
                      .method = "PATCH",
                      .target = "/api-keys/{0}",
                      .positionals = {kKey},
                      .options = {{"--name", "name", Form::Text, "NAME", "Another name"},
                                  {"--expires", "expiresAt", Form::Moment, "WHEN", "An earlier end"},
                                  kApi,
                                  kAddress,
                                  kVersion},
                      .if_match = true});
  commands.push_back({.words = "key revoke",
                      .help = "End a key for good, at once",
                      .method = "POST",
                      .target = "/api-keys/{0}/revoke",
                      .positionals = {kKey},
                      .options = {{"--reason", "reason", Form::Text, "TEXT", "Why; for the audit trail"}}});
  commands.push_back(
      {.words = "key reissue",
       .help = "Make the successor of a key; the old one ends after the overlap",
       .method = "POST",
       .target = "/api-keys/{0}/reissue",
       .positionals = {kKey},
       .options = {{"--overlap", "overlapHours", Form::Hours, "24h", "How long the old one still works [0h]"}, kOut},
       .body = "{}",
       .run = reissue_key});
  commands.push_back({.words = "key inspect",
                      .help = "Tell what a key says of itself and whether it is good; the key is read from standard input",
                      .method = "POST",
                      .target = "/api-keys/inspect",
                      .run = inspect_key});
}

// --- secrets of outgoing calls

// "APP/FLOW": a slash separates, because names have none at their ends.
Result<std::pair<std::string, std::string>> split_owner(std::string_view option, const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string::npos && slash > 0 && slash + 1 < text.size())
    return std::pair{text.substr(0, slash), text.substr(slash + 1)};
  return usage_error(fmt::format("{} {}: give APPLICATION/NAME", option, text));
}

Result<int> create_secret(Run& run) {
  TRY(json::object body, make_body(run));
  const std::string flow = run.values.text("--flow"), action = run.values.text("--action");
  const std::string configuration = run.values.text("--http-configuration");
  json::object owner;
  if (!configuration.empty()) {
    if (!flow.empty() || !action.empty()) return usage_error("give --flow and --action, or --http-configuration");
    TRY(const auto names, split_owner("--http-configuration", configuration));
    owner = {{"kind", "httpConfiguration"}, {"application", names.first}, {"httpConfiguration", names.second}};
  } else {
    if (flow.empty() || action.empty()) return usage_error("give --flow and --action, or --http-configuration");
    TRY(const auto names, split_owner("--flow", flow));
    owner = {{"kind", "action"}, {"application", names.first}, {"flow", names.second}, {"action", action}};
  }
  body["owner"] = std::move(owner);
  ApiCall call;
  call.method = "POST";
  call.path = "/secret-keys";
  call.body = base::to_json(body);
  TRY(const ApiReply reply, run.client.call(call));
  print_warnings(reply);
  print(run.format, reply.data);
  return 0;
}

Result<int> set_secret(Run& run) {
  TRY(const std::string id, look_up(run.client, Lookup::Secret, run.values.positionals[0]));
  TRY(const base::SecretString value, read_secret(run.values.text("--from-file"), "Value of the secret"));
  ApiCall call;
  call.method = "PUT";
  call.path = "/secret-keys/" + id + "/secret";
  call.body = base::to_json(json::object{{"secret", json::string_view(value.reveal().data(), value.reveal().size())}});
  const auto reply = run.client.call(call);
  base::wipe(*call.body);
  if (!reply.ok()) return reply.error();
  print_warnings(*reply);
  if (run.format == Format::Table) fmt::print("The value of \"{}\" was set\n", run.values.positionals[0]);
  return 0;
}

void add_secrets(std::vector<Command>& commands) {
  commands.push_back({.words = "secret list",
                      .help = "Show secrets of outgoing calls; never their values",
                      .target = "/secret-keys",
                      .options = {{"-q,--search", "q", Form::Text, "TEXT", "Only what has this text in its name"},
                                  {"--limit", "", Form::Local, "N", "Show at most N"}},
                      .columns = {{"NAME", "name"},
                                  {"APPLICATION", "owner.application"},
                                  {"OWNER", "owner.flow owner.action owner.httpConfiguration"},
                                  {"ENABLED", "enabled"},
                                  {"SOURCE", "source"},
                                  {"ID", "id"}},
                      .pages = true});
  commands.push_back({.words = "secret create",
                      .help = "Make a secret without a value; set it with secret set",
                      .method = "POST",
                      .target = "/secret-keys",
                      .options = {{"--flow", "", Form::Local, "APP/FLOW", "Flow of the action that uses it"},
                                  {"--action", "", Form::Local, "ID", "Action that uses it"},
                                  {"--http-configuration", "", Form::Local, "APP/NAME", "HTTP configuration that uses it"},
                                  {"--name", "name", Form::Text, "NAME", "Letters, digits and _", true},
                                  {"--disabled", "enabled", Form::Clear, "", "Not to be used yet"}},
                      .run = create_secret});
  commands.push_back({.words = "secret set",
                      .help = "Set the value; it is read from standard input or a file",
                      .method = "PUT",
                      .target = "/secret-keys/{0}/secret",
                      .positionals = {kSecret},
                      .options = {{"--from-file", "", Form::Local, "FILE", "Read the value from this file"}},
                      .run = set_secret});
  commands.push_back({.words = "secret rename",
                      .help = "Give a secret another name",
                      .method = "PATCH",
                      .target = "/secret-keys/{0}",
                      .positionals = {kSecret, {"NAME", "The new name"}},
                      .positional_members = {"", "name"},
                      .if_match = true});
  for (const auto& [words, help, body] : {std::tuple{"secret enable", "Let actions use a secret", R"({"enabled":true})"},
                                          {"secret disable", "Keep actions from using a secret", R"({"enabled":false})"}}) {
    commands.push_back({.words = words,
                        .help = help,
                        .method = "PATCH",
                        .target = "/secret-keys/{0}",
                        .positionals = {kSecret},
                        .body = body,
                        .if_match = true});
  }
  commands.push_back({.words = "secret delete",
                      .help = "Remove a secret and its value",
                      .method = "DELETE",
                      .target = "/secret-keys/{0}",
                      .positionals = {kSecret},
                      .options = {kVersion},
                      .done = "The secret {0} was deleted",
                      .if_match = true});
}

}  // namespace

void add_key_commands(std::vector<Command>& commands) {
  add_keys(commands);
  add_secrets(commands);
}

}  // namespace funcgate::app::cli
