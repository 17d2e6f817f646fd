// user and group.
#include "app/cli/command.h"

namespace funcgate::app::cli {
namespace {

const Positional kUser{"USER", "Login or id", Lookup::User};
const Positional kGroup{"GROUP", "Name or id", Lookup::Group};
const Option kLimit{"--limit", "", Form::Local, "N", "Show at most N"};
const Option kSearch{"-q,--search", "q", Form::Text, "TEXT", "Only what has this text in a name or description"};
const Option kVersion{"--if-version", "", Form::Local, "N", "Only if this is still version N of the object"};

std::vector<Column> user_columns() {
  return {{"LOGIN", "login"},          {"NAME", "firstName surname"},   {"ENABLED", "enabled"},
          {"GROUPS", "groups[].name"}, {"LAST SIGN-IN", "lastLoginAt"}, {"ID", "id"}};
}

std::vector<Option> user_fields() {
  return {{"--first-name", "firstName", Form::Text, "NAME", "First name"},
          {"--surname", "surname", Form::Text, "NAME", "Surname"},
          {"--email", "email", Form::Text, "ADDRESS", "Address for mail"},
          {"--description", "description", Form::Text, "TEXT", "What this user is for"}};
}

std::vector<Option> with(std::vector<Option> options, std::initializer_list<Option> more) {
  options.insert(options.end(), more);
  return options;
}

// POST /users, with the password of a file or of standard input in the same call.
base::Result<int> create_user(Run& run) {
  TRY(json::object body, make_body(run));
  const std::string file = run.values.text("--password-file");
  if (!file.empty() || run.values.given("--password")) {
    TRY(const base::SecretString password, read_secret(file, "Password of the new user"));
    body["password"] = json::string_view(password.reveal().data(), password.reveal().size());
  }
  ApiCall call;
  call.method = "POST";
  call.path = "/users";
  call.body = base::to_json(body);
  auto reply = run.client.call(call);
  base::wipe(*call.body);
  if (!reply.ok()) return reply.error();
  print_warnings(*reply);
  print(run.format, reply->data);
  return 0;
}

base::Result<int> set_password(Run& run) {
  TRY(const std::string id, look_up(run.client, Lookup::User, run.values.positionals[0]));
  TRY(const base::SecretString password, read_secret(run.values.text("--password-file"), "New password"));
  json::object body{{"password", json::string_view(password.reveal().data(), password.reveal().size())}};
  if (run.values.given("--must-change")) body["mustChangePassword"] = true;
  ApiCall call;
  call.method = "PUT";
  call.path = "/users/" + id + "/password";
  call.body = base::to_json(body);
  const auto reply = run.client.call(call);
  base::wipe(*call.body);
  if (!reply.ok()) return reply.error();
  if (run.format == Format::Table) std::printf("The password of \"%s\" was set\n", run.values.positionals[0].c_str());
  return 0;
}

void add_users(std::vector<Command>& commands) {
  commands.push_back({.words = "user list",
                      .help = "Show users",
                      .target = "/users",
                      .options = {kSearch,
                                  {"--login", "login", Form::Text, "LOGIN", "A login; a star at its end stands for anything"},
                                  {"--group", "group", Form::Text, "GROUP", "Members of this group", false, Lookup::Group},
                                  {"--enabled", "enabled", Form::YesNo, "yes|no", "Enabled users, or the others"},
                                  {"--sort", "sort", Form::Text, "FIELD", "Order; a minus before it turns it round"},
                                  kLimit},
                      .columns = user_columns(),
                      .pages = true});
  commands.push_back({.words = "user get", .help = "Show one user", .target = "/users/{0}", .positionals = {kUser}});
  commands.push_back(
      {.words = "user create",
       .help = "Make a user; one without a password can own API keys and not sign in",
       .method = "POST",
       .target = "/users",
       .positionals = {{"LOGIN", "Lower case; letters, digits and . _ @ + -"}},
       .options = with(user_fields(), {{"--disabled", "enabled", Form::Clear, "", "Make it, but let nobody in yet"},
                                       {"--must-change", "mustChangePassword", Form::Set, "",
                                        "The password must be changed at the first sign-in"},
                                       {"--password", "", Form::LocalSet, "", "Read the password from standard input"},
                                       {"--password-file", "", Form::Local, "FILE", "Read the password from this file"}}),
       .positional_members = {"login"},
       .run = create_user});
  commands.push_back({.words = "user update",
                      .help = "Change fields of a user; what is not named stays",
                      .method = "PATCH",
                      .target = "/users/{0}",
                      .positionals = {kUser},
                      .options = with(user_fields(), {{"--login", "login", Form::Text, "LOGIN", "Another login"},
                                                      {"--must-change", "mustChangePassword", Form::YesNo, "yes|no",
                                                       "Whether the password must be changed next"},
                                                      kVersion}),
                      .if_match = true});
  commands.push_back({.words = "user delete",
                      .help = "Remove a user: keys are revoked, sessions end",
                      .method = "DELETE",
                      .target = "/users/{0}",
                      .positionals = {kUser},
                      .options = {kVersion},
                      .done = "The user {0} was deleted",
                      .if_match = true});
}

void add_user_actions(std::vector<Command>& commands) {
  commands.push_back({.words = "user enable",
                      .help = "Let a user in again",
                      .method = "PATCH",
                      .target = "/users/{0}",
                      .positionals = {kUser},
                      .body = R"({"enabled":true})",
                      .if_match = true});
  commands.push_back({.words = "user disable",
                      .help = "Keep a user out: sessions end, keys are refused, at once",
                      .method = "PATCH",
                      .target = "/users/{0}",
                      .positionals = {kUser},
                      .body = R"({"enabled":false})",
                      .if_match = true});
  commands.push_back({.words = "user set-password",
                      .help = "Set the password; it is read from standard input or a file",
                      .method = "PUT",
                      .target = "/users/{0}/password",
                      .positionals = {kUser},
                      .options = {{"--password-file", "", Form::Local, "FILE", "Read the password from this file"},
                                  {"--must-change", "", Form::LocalSet, "", "It must be changed at the next sign-in"}},
                      .run = set_password});
  commands.push_back({.words = "user unlock",
                      .help = "Forget the failed sign-ins of a user",
                      .method = "POST",
                      .target = "/users/{0}/unlock",
                      .positionals = {kUser},
                      .done = "The user {0} was unlocked"});
  commands.push_back({.words = "user end-sessions",
                      .help = "End all sessions of a user",
                      .method = "DELETE",
                      .target = "/users/{0}/sessions",
                      .positionals = {kUser},
                      .done = "The sessions of {0} were ended"});
  commands.push_back(
      {.words = "user privileges",
       .help = "Show what a user may do, and through which groups and roles",
       .target = "/users/{0}/effective-privileges",
       .positionals = {kUser},
       .columns = {{"PRIVILEGE", "privilege"}, {"APPLICATION", "scope"}, {"GROUP", "via[].group"}, {"ROLE", "via[].role"}}});
}

void add_groups(std::vector<Command>& commands) {
  const Option description{"--description", "description", Form::Text, "TEXT", "What this group is for"};
  const Positional users{"USER", "Login or id; several may follow", Lookup::User, true};
  commands.push_back(
      {.words = "group list",
       .help = "Show user groups",
       .target = "/user-groups",
       .options = {kSearch, {"--name", "name", Form::Text, "NAME", "A name; a star at its end stands for anything"}, kLimit},
       .columns = {{"NAME", "name"}, {"USERS", "userCount"}, {"ROLES", "roles[].name"}, {"BUILT-IN", "builtIn"}, {"ID", "id"}},
       .pages = true});
  commands.push_back(
      {.words = "group get", .help = "Show one user group", .target = "/user-groups/{0}", .positionals = {kGroup}});
  commands.push_back({.words = "group create",
                      .help = "Make a user group",
                      .method = "POST",
                      .target = "/user-groups",
                      .positionals = {{"NAME", "1 to 100 characters"}},
                      .options = {description},
                      .positional_members = {"name"}});
  commands.push_back({.words = "group update",
                      .help = "Rename or describe a user group",
                      .method = "PATCH",
                      .target = "/user-groups/{0}",
                      .positionals = {kGroup},
                      .options = {{"--name", "name", Form::Text, "NAME", "Another name"}, description, kVersion},
                      .if_match = true});
  commands.push_back({.words = "group delete",
                      .help = "Remove a user group; its users stay",
                      .method = "DELETE",
                      .target = "/user-groups/{0}",
                      .positionals = {kGroup},
                      .options = {kVersion},
                      .done = "The user group {0} was deleted",
                      .if_match = true});
  commands.push_back({.words = "group add-user",
                      .help = "Make users members of a group; live with their next request",
                      .method = "PUT",
                      .target = "/user-groups/{0}/users/{1}",
                      .positionals = {kGroup, users},
                      .done = "{1} is a member of {0}"});
  commands.push_back({.words = "group remove-user",
                      .help = "Take users out of a group",
                      .method = "DELETE",
                      .target = "/user-groups/{0}/users/{1}",
                      .positionals = {kGroup, users},
                      .done = "{1} is no member of {0}"});
}

}  // namespace

void add_user_commands(std::vector<Command>& commands) {
  add_users(commands);
  add_user_actions(commands);
  add_groups(commands);
}

}  // namespace funcgate::app::cli
