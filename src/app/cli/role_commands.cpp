// role, privilege and policy.
#include <fmt/format.h>

#include "app/cli/command.h"
#include "base/encoding.h"

namespace funcgate::app::cli {
namespace {

const Positional kRole{"ROLE", "Name or id; APP/NAME of a role of an application", Lookup::Role};
const Option kLimit{"--limit", "", Form::Local, "N", "Show at most N"};
const Option kSearch{"-q,--search", "q", Form::Text, "TEXT", "Only what has this text in a name or description"};
const Option kVersion{"--if-version", "", Form::Local, "N", "Only if this is still version N of the object"};
const Option kDescription{"--description", "description", Form::Text, "TEXT", "What this role is for"};

// PATCH /privileges/{name}.
base::Result<int> set_audit(Run& run) {
  const std::string& name = run.values.positionals[0];
  const std::string& wanted = run.values.positionals[1];
  if (wanted != "on" && wanted != "off") return usage_error("give on or off");
  ApiCall call;
  call.method = "PATCH";
  call.path = "/privileges/" + base::percent_encode(name);
  call.if_match = "*";
  call.body = base::to_json(json::object{{"auditAction", wanted == "on"}});
  TRY(const ApiReply reply, run.client.call(call));
  print(run.format, reply.data);
  return 0;
}

// PUT /password-policy with what it says now and the fields that were named, unless somebody was faster.
base::Result<int> set_policy(Run& run) {
  TRY(const json::object wanted, make_body(run));
  if (wanted.empty()) return usage_error("nothing is to be changed: give at least one option");
  ApiCall read;
  read.path = "/password-policy";
  TRY(ApiReply now, run.client.call(read));
  if (!now.data.is_object()) return base::Error{base::Code::Unavailable, "the server's answer is no policy", {}};
  json::object& policy = now.data.get_object();
  for (const auto& [name, value] : wanted) policy[name] = value;
  ApiCall write;
  write.method = "PUT";
  write.path = "/password-policy";
  write.if_match = now.etag;
  write.body = base::to_json(policy);
  TRY(const ApiReply reply, run.client.call(write));
  print(run.format, reply.data);
  return 0;
}

void add_roles(std::vector<Command>& commands) {
  const Positional groups{"GROUP", "Name or id; several may follow", Lookup::Group, true};
  const Positional privileges{"PRIVILEGE", "Name, as in privilege list; several may follow", Lookup::Text, true};
  commands.push_back({.words = "role list",
                      .help = "Show roles",
                      .target = "/roles",
                      .options = {kSearch,
                                  {"--name", "name", Form::Text, "NAME", "A name; a star at its end stands for anything"},
                                  {"--privilege", "privileges", Form::Text, "NAME", "Roles that hold this privilege"},
                                  {"--application", "application", Form::Text, "NAME", "Roles of this application"},
                                  kLimit},
                      .columns = {{"NAME", "name"},
                                  {"APPLICATION", "application"},
                                  {"GROUPS", "userGroups[].name"},
                                  {"BUILT-IN", "builtIn"},
                                  {"ID", "id"},
                                  {"PRIVILEGES", "privileges"}},
                      .pages = true});
  commands.push_back({.words = "role get", .help = "Show one role", .target = "/roles/{0}", .positionals = {kRole}});
  commands.push_back({.words = "role create",
                      .help = "Make a role",
                      .method = "POST",
                      .target = "/roles",
                      .positionals = {{"NAME", "1 to 100 characters"}},
                      .options = {kDescription,
                                  {"--privilege", "privileges", Form::Texts, "NAME", "A privilege it holds; may be repeated"},
                                  {"--application", "application", Form::Text, "NAME", "Holds within this application only"}},
                      .positional_members = {"name"}});
  commands.push_back({.words = "role update",
                      .help = "Rename or describe a role",
                      .method = "PATCH",
                      .target = "/roles/{0}",
                      .positionals = {kRole},
                      .options = {{"--name", "name", Form::Text, "NAME", "Another name"}, kDescription, kVersion},
                      .if_match = true});
  commands.push_back({.words = "role delete",
                      .help = "Remove a role",
                      .method = "DELETE",
                      .target = "/roles/{0}",
                      .positionals = {kRole},
                      .options = {kVersion},
                      .done = "The role {0} was deleted",
                      .if_match = true});
  commands.push_back({.words = "role grant",
                      .help = "Put privileges into a role",
                      .method = "PUT",
                      .target = "/roles/{0}/privileges/{1}",
                      .positionals = {kRole, privileges},
                      .done = "{0} holds {1}"});
  commands.push_back({.words = "role ungrant",
                      .help = "Take privileges out of a role",
                      .method = "DELETE",
                      .target = "/roles/{0}/privileges/{1}",
                      .positionals = {kRole, privileges},
                      .done = "{0} does not hold {1}"});
  commands.push_back({.words = "role add-group",
                      .help = "Give a role to user groups",
                      .method = "PUT",
                      .target = "/roles/{0}/user-groups/{1}",
                      .positionals = {kRole, groups},
                      .done = "{1} has the role {0}"});
  commands.push_back({.words = "role remove-group",
                      .help = "Take a role from user groups",
                      .method = "DELETE",
                      .target = "/roles/{0}/user-groups/{1}",
                      .positionals = {kRole, groups},
                      .done = "{1} has not the role {0}"});
}

Option number(std::string_view name, std::string_view member, std::string_view help) {
  return {name, member, Form::Number, "N", help};
}

}  // namespace

void add_role_commands(std::vector<Command>& commands) {
  add_roles(commands);
  commands.push_back(
      {.words = "privilege list",
       .help = "Show all privileges and the roles that hold them",
       .target = "/privileges",
       .options = {kSearch},
       .columns =
           {{"NAME", "name"}, {"AREA", "area"}, {"SCOPABLE", "scopable"}, {"AUDITED", "auditAction"}, {"ROLES", "roles[].name"}},
       .pages = true});
  commands.push_back({.words = "privilege audit",
                      .help = "Record every use of a privilege, or stop doing so",
                      .method = "PATCH",
                      .target = "/privileges/{0}",
                      .positionals = {{"NAME", "Name of the privilege"}, {"on|off", "What shall be"}},
                      .run = set_audit});
  commands.push_back({.words = "policy get", .help = "Show the password policy", .target = "/password-policy"});
  commands.push_back(
      {.words = "policy set",
       .help = "Change the password policy; what is not named stays. 0 turns a rule off",
       .method = "PUT",
       .target = "/password-policy",
       .options = {number("--min-length", "minLength", "Characters at least"),
                   number("--min-upper", "minUpper", "Upper-case letters at least"),
                   number("--min-lower", "minLower", "Lower-case letters at least"),
                   number("--min-digits", "minDigits", "Digits at least"),
                   number("--min-special", "minSpecial", "Punctuation at least"),
                   {"--not-login", "notLogin", Form::YesNo, "yes|no", "The login must not stand in it"},
                   number("--no-reuse-count", "noReuseCount", "The last N passwords cannot be used again"),
                   number("--no-reuse-days", "noReuseDays", "Nor those of the last N days"),
                   number("--days-valid", "daysValid", "Days until a password expires"),
                   number("--days-to-reset", "daysToReset", "Days after that in which it can still be changed"),
                   number("--lock-after-failures", "lockAfterFailures", "Failed sign-ins until the lock"),
                   number("--lock-minutes", "lockMinutes", "Length of the lock"),
                   {"--lock-scope", "lockScope", Form::Text, "address|account", "Lock one network, or the whole account"}},
       .run = set_policy});
}

}  // namespace funcgate::app::cli
