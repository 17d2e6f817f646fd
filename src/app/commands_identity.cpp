// Commands about the first and the lost administrator: they work on the data directory, as its owner.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/instance.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "service/admin/users.h"

namespace funcgate::app {
namespace {

constexpr std::size_t kPasswordFileBytesMax = 4096;

domain::Actor local_actor() {
  domain::Actor actor;
  actor.kind = "SYSTEM";
  actor.login = "local";
  actor.origin = "CLI";
  return actor;
}

base::Result<std::unique_ptr<Instance>> open_identity(const CommonOptions& common) {
  TRY(Config config, load_config(common.config_path));
  base::log::configure(base::log::Level::Warning, "-");
  auto instance = Instance::open_identity({common.data_dir, common.password_sources, false}, std::move(config));
  if (!instance.ok() && instance.error().code == base::Code::Conflict)
    return base::Error{base::Code::Conflict, instance.error().message + "; stop the server first", {}};
  return instance;
}

// The password is the file's content without one line end.
base::Result<base::SecretString> read_password(const std::string& path) {
  TRY(std::string text, base::read_file(path, kPasswordFileBytesMax));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  base::SecretString password(text);
  base::wipe(text);
  return password;
}

base::Result<std::string> check_login(const std::string& login) {
  service::UserFields fields;
  fields.login = login;
  const auto findings = service::Users::check(fields);
  if (findings.empty()) return fields.login;
  return base::Error{base::Code::InvalidArgument, fmt::format("--admin-login: {}", findings.front().message), {}};
}

void print_setup(const std::string& path) { fmt::print("{}", setup_instructions("http://HOST:PORT", path)); }

}  // namespace

int init(const CommonOptions& common, const std::string& login, const std::string& password_file) {
  const auto name = check_login(login);
  if (!name.ok()) return fail(name.error());
  const auto password = read_password(password_file);
  if (!password.ok()) return fail(password.error());
  auto instance = open_identity(common);
  if (!instance.ok()) return fail(instance.error());
  Management& management = (*instance)->management();
  domain::User first;
  first.login = *name;
  std::vector<std::string> failed_rules;
  const auto made = management.sessions().make_administrator(std::move(first), *password, local_actor(), failed_rules);
  if (!made.ok()) {
    base::Error error = made.error();
    if (!failed_rules.empty()) error.message += ": " + base::join(failed_rules, ", ");
    return fail(error);
  }
  management.remove_setup_file();
  fmt::print("The administrator \"{}\" was made\n", made->login);
  return 0;
}

int setup_token(const CommonOptions& common) {
  const auto reply = control_request(common.data_dir, "POST", "/control/setup-token", "");
  if (reply.ok()) {
    const auto document = base::parse_json(reply->body);
    const base::json::object* answer = document.ok() ? document->if_object() : nullptr;
    const auto text = [&](const char* member) {
      const auto* value = answer == nullptr ? nullptr : answer->if_contains(member);
      return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                    : std::string("the server's answer cannot be read");
    };
    if (reply->status != 200) return fail({base::Code::Conflict, text("error"), {}});
    print_setup(text("path"));
    return 0;
  }
  if (reply.error().code != base::Code::NotFound) return fail(reply.error());
  if (!std::filesystem::exists(common.data_dir + "/funcgate.db"))
    return fail({base::Code::NotFound, common.data_dir + " is not a data directory", {}});
  auto instance = open_identity(common);
  if (!instance.ok()) return fail(instance.error());
  const auto path = (*instance)->management().renew_setup_token();
  if (!path.ok()) return fail({base::Code::Conflict, path.error().message, {}});
  print_setup(*path);
  return 0;
}

int recover_administrator(const CommonOptions& common, const std::string& login) {
  const auto name = check_login(login);
  if (!name.ok()) return fail(name.error());
  if (!std::filesystem::exists(common.data_dir + "/funcgate.db"))
    return fail({base::Code::NotFound, common.data_dir + " is not a data directory", {}});
  auto instance = open_identity(common);
  if (!instance.ok()) return fail(instance.error());
  const auto password = (*instance)->management().sessions().recover_administrator(*name, local_actor());
  if (!password.ok()) return fail(password.error());
  // The one place where the operator can read it: it lets in once, to set another.
  fmt::print("\"{}\" is an administrator now. This one-time password lets in once within 60 minutes, to set another:\n{}\n",
             *name, password->reveal());
  return 0;
}

}  // namespace funcgate::app
