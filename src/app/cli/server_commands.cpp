// api, task and whoami; and what --help says of each group.
#include "app/cli/command.h"
#include "app/cli/doctor.h"

namespace funcgate::app::cli {
namespace {

const Option kLimit{"--limit", "", Form::Local, "N", "Show at most N"};
const Positional kApi{"API", "Id of the function API"};
const Positional kTask{"TASK", "Id of the task"};

void add_apis(std::vector<Command>& commands) {
  commands.push_back({.words = "api list",
                      .help = "Show published APIs and what each demands of callers",
                      .target = "/func-apis",
                      .options = {{"-q,--search", "q", Form::Text, "TEXT", "Only what has this text in a name"},
                                  {"--state", "state", Form::Text, "STATE", "ok, broken, disabled or expired"},
                                  kLimit},
                      .columns = {{"ID", "id"},
                                  {"FUNCTION", "funcId"},
                                  {"AUTHENTICATION", "apiAuthIds"},
                                  {"ANONYMOUS", "anonymous"},
                                  {"STATE", "state"},
                                  {"TITLE", "title"}},
                      .pages = true});
  commands.push_back({.words = "api get", .help = "Show one API", .target = "/func-apis/{0}", .positionals = {kApi}});
  commands.push_back(
      {.words = "api update",
       .help = "Change who may call an API, or switch it off; what is not named stays",
       .method = "PATCH",
       .target = "/func-apis/{0}",
       .positionals = {kApi},
       .options = {{"--auth", "apiAuthIds", Form::Texts, "ID", "Authentication it accepts; may be repeated, replaces the list"},
                   {"--anonymous", "anonymous", Form::YesNo, "yes|no", "Whether callers without credentials get in"},
                   {"--anonymous-reason", "anonymousReason", Form::Text, "TEXT", "Why it is open; needed with --anonymous yes"},
                   {"--disabled", "isDisabled", Form::YesNo, "yes|no", "Refuse every call"},
                   {"--title", "title", Form::Text, "TEXT", "Title"},
                   {"--if-version", "", Form::Local, "N", "Only if this is still version N of the API"}},
       .if_match = true});
}

void add_tasks(std::vector<Command>& commands) {
  commands.push_back({.words = "task list",
                      .help = "Show asynchronous calls, newest first",
                      .target = "/tasks",
                      .options = {{"--status", "status", Form::Text, "STATUS", "waiting, running, success, failure …"},
                                  {"--api", "apiId", Form::Text, "ID", "Tasks of this API"},
                                  kLimit},
                      .columns = {{"ID", "id"},
                                  {"API", "apiId"},
                                  {"STATUS", "status"},
                                  {"CALLER", "caller"},
                                  {"TRIGGERED", "triggerTime"},
                                  {"ENDED", "endTime"}},
                      .pages = true});
  commands.push_back({.words = "task get", .help = "Show one task", .target = "/tasks/{0}", .positionals = {kTask}});
  commands.push_back(
      {.words = "task cancel", .help = "Cancel a task", .method = "POST", .target = "/tasks/{0}/cancel", .positionals = {kTask}});
}

}  // namespace

void add_server_commands(std::vector<Command>& commands) {
  add_apis(commands);
  add_tasks(commands);
  commands.push_back({.words = "whoami", .help = "Show as whom the server sees this caller, with privileges", .target = "/me"});
  commands.push_back({.words = "doctor",
                      .help = "Check that the server can be reached and used; a remedy for whatever is wrong",
                      .target = "/server",
                      .run = examine,
                      .token_optional = true});
}

std::vector<Group> command_groups() {
  return {
      {"user", "Users: who may sign in and own API keys",
       "  funcgate user list --data ./data\n"
       "  funcgate user create apiagent --first-name API --surname Agent --password-file apiagent.pw\n"
       "  funcgate user set-password apiagent < new.pw\n"
       "  funcgate user disable apiagent"},
      {"group", "User groups: the only way from a role to a user",
       "  funcgate group create APIUsers\n"
       "  funcgate group add-user APIUsers apiagent"},
      {"role", "Roles: sets of privileges for user groups",
       "  funcgate role create GenerateAPIToken --privilege \"Use API Key\"\n"
       "  funcgate role add-group GenerateAPIToken APIUsers\n"
       "  funcgate role grant Operators \"Explain Denials\""},
      {"app", "Applications: what roles and secret keys can belong to",
       "  funcgate app create \"Actionflow Advanced\" --all-users no --group APIUsers\n"
       "  funcgate role create Watchers --application \"Actionflow Advanced\" --privilege \"View Applications\"\n"
       "  funcgate app update \"Actionflow Advanced\" --all-users yes"},
      {"privilege", "Privileges: what is built in",
       "  funcgate privilege list\n"
       "  funcgate privilege audit \"Use API Key\" on"},
      {"policy", "The password policy",
       "  funcgate policy get\n"
       "  funcgate policy set --min-length 12 --days-valid 180"},
      {"key", "API keys: made once, shown once",
       "  funcgate key create --user apiagent --name \"Call API\" --expires 90d --out apiagent.key\n"
       "  funcgate key list --unused 90d\n"
       "  funcgate key revoke \"apiagent/Call API\" --reason \"left the company\"\n"
       "  funcgate key inspect < apiagent.key"},
      {"secret", "Secrets of outgoing calls: written, never read",
       "  funcgate secret create --flow \"Actionflow Advanced/Call API\" --action callApi --name APIKey\n"
       "  funcgate secret set APIKey --from-file partner.key"},
      {"audit", "The audit trail",
       "  funcgate audit list --event user. --limit 20\n"
       "  funcgate audit list --stream calls --status 401\n"
       "  funcgate audit export --format csv --out audit.csv"},
      {"access", "Who may call what",
       "  funcgate access who-can greet\n"
       "  funcgate access what-can --user apiagent"},
      {"api", "Published APIs: who may call them",
       "  funcgate api list\n"
       "  funcgate api update greet --auth api-key --anonymous no"},
      {"task", "Asynchronous calls",
       "  funcgate task list --status waiting\n"
       "  funcgate task cancel TASK"},
  };
}

}  // namespace funcgate::app::cli
