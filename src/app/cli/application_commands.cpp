// app: applications and whom they admit.
#include "app/cli/command.h"

namespace funcgate::app::cli {
namespace {

const Positional kApplication{"APP", "Name or id", Lookup::Application};
const Option kVersion{"--if-version", "", Form::Local, "N", "Only if this is still version N of the object"};
const Option kDescription{"--description", "description", Form::Text, "TEXT", "What it is for"};
const Option kAllUsers{"--all-users", "access.allUsers", Form::YesNo, "yes|no",
                       "Whether every user is admitted; no: members of the groups alone"};

}  // namespace

void add_application_commands(std::vector<Command>& commands) {
  commands.push_back({.words = "app list",
                      .help = "Show the applications that you may see",
                      .target = "/applications",
                      .options = {{"-q,--search", "q", Form::Text, "TEXT", "Only what has this text in a name or description"},
                                  {"--name", "name", Form::Text, "NAME", "A name; a star at its end stands for anything"},
                                  {"--limit", "", Form::Local, "N", "Show at most N"}},
                      .columns = {{"NAME", "name"},
                                  {"ALL USERS", "access.allUsers"},
                                  {"GROUPS", "access.groups"},
                                  {"ID", "id"},
                                  {"DESCRIPTION", "description"}},
                      .pages = true});
  commands.push_back(
      {.words = "app get", .help = "Show one application", .target = "/applications/{0}", .positionals = {kApplication}});
  commands.push_back(
      {.words = "app create",
       .help = "Make an application; it admits every user unless told otherwise",
       .method = "POST",
       .target = "/applications",
       .positionals = {{"NAME", "1 to 100 characters"}},
       .options = {kDescription,
                   kAllUsers,
                   {"--group", "access.groups", Form::Texts, "GROUP", "A group whose members are admitted; may be repeated"}},
       .positional_members = {"name"}});
  commands.push_back({.words = "app update",
                      .help = "Change fields of an application; what is not named stays",
                      .method = "PATCH",
                      .target = "/applications/{0}",
                      .positionals = {kApplication},
                      .options = {{"--name", "name", Form::Text, "NAME", "Another name"},
                                  kDescription,
                                  kAllUsers,
                                  {"--group", "access.groups", Form::Texts, "GROUP",
                                   "A group whose members are admitted, instead of those that were; may be repeated"},
                                  kVersion},
                      .if_match = true});
  commands.push_back({.words = "app delete",
                      .help = "Remove an application that no role and no secret key belongs to",
                      .method = "DELETE",
                      .target = "/applications/{0}",
                      .positionals = {kApplication},
                      .options = {kVersion},
                      .done = "The application {0} was deleted",
                      .if_match = true});
}

}  // namespace funcgate::app::cli
