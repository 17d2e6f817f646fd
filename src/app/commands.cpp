#include "app/commands.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <set>
#include <system_error>

#include "app/cli/apply_remote.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/control_client.h"
#include "app/instance.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "service/apply/bundle_reader.h"
#include "service/apply/document_kinds.h"
#include "service/apply/validate.h"

namespace funcgate::app {
namespace {

namespace json = base::json;
using base::text_of;
constexpr int kDone = 0, kDifferent = 1, kUsage = 2, kNotFound = 3, kDenied = 4, kConflict = 5, kUnreachable = 6, kInvalid = 7,
              kCannotStart = 78;

int exit_code(const base::Error& error) {
  switch (error.code) {
    case base::Code::InvalidArgument: return kInvalid;
    case base::Code::NotFound: return kNotFound;
    case base::Code::PermissionDenied: return kDenied;
    case base::Code::Conflict: return kConflict;
    case base::Code::Unavailable:
    case base::Code::DeadlineExceeded: return kUnreachable;
    case base::Code::Unauthenticated:
    case base::Code::FailedPrecondition:
    case base::Code::PayloadTooLarge:
    case base::Code::ResourceExhausted:
    case base::Code::Cancelled:
    case base::Code::FunctionFailed:
    case base::Code::DataLoss:
    case base::Code::Internal: return kDifferent;
  }
  return kDifferent;
}

std::string worker_binary() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "funcgate-worker").string();
}

// What the workers' starter needs must happen first: afterwards this process holds secrets and threads.
base::Result<runtime::ZygoteClient> start_zygote() {
  ::signal(SIGPIPE, SIG_IGN);
  return runtime::ZygoteClient::start(worker_binary());
}

void print_lines(std::FILE* out, const json::object& result, std::string_view list, std::string_view member,
                 std::string_view prefix) {
  const auto* lines = result.if_contains(json::string_view(list.data(), list.size()));
  if (lines == nullptr || !lines->is_array()) return;
  for (const json::value& line : lines->get_array()) {
    if (line.is_string()) {
      fmt::print(out, "{}{}\n", prefix, std::string_view(line.get_string()));
    } else if (line.is_object()) {
      fmt::print(out, "{}{}\n", prefix, text_of(line.get_object(), member));
    }
  }
}

bool has_lines(const json::object& result, std::string_view list) {
  const auto* lines = result.if_contains(json::string_view(list.data(), list.size()));
  return lines != nullptr && lines->is_array() && !lines->get_array().empty();
}

// The exit code that a report stands for.
int code_of(const json::object& result, bool difference_counts) {
  if (has_lines(result, "problems")) return has_lines(result, "usedBy") ? kConflict : kInvalid;
  const auto* changed = result.if_contains("changed");
  return difference_counts && changed != nullptr && changed->is_bool() && changed->get_bool() ? kDifferent : kDone;
}

base::Result<service::ApplyResult> apply_locally(Instance& instance, const service::Bundle& bundle,
                                                 const ResourceOptions& options, bool dry_run) {
  service::ApplyOptions apply;
  apply.set = options.set;
  apply.prune = options.prune;
  apply.dry_run = dry_run;
  apply.author = "local";
  apply.actor = domain::local_actor();
  if (dry_run) return instance.resources().diff(bundle, apply);
  return instance.resources().apply(bundle, apply);
}

// The exit code of a report that has arrived: for commands that end where main() cannot ask. Nothing is thrown through objects
// whose threads run.
int printed(const std::function<int()>& report) {
  try {
    const int code = report();
    const base::Status written = cli::write_output({});
    return code != kDone || written.ok() ? code : fail(written.error());
  } catch (const std::system_error& failure) {
    return fail({base::Code::ResourceExhausted, std::string("cannot write to standard output: ") + failure.what(), {}});
  }
}

int report_problems(const CommonOptions& common, std::vector<service::Problem> problems) {
  service::ApplyResult result;
  result.problems = std::move(problems);
  return print_report(common, service::to_json(result), false);
}

int change(const CommonOptions& common, const ResourceOptions& options, bool dry_run) {
  if (const auto named = service::check_set_name(options.set); !named.ok()) return fail(named.error());
  std::vector<service::Problem> problems;
  const service::Bundle bundle = service::read_bundle(options.folder, service::process_environment, problems);
  if (!problems.empty()) return report_problems(common, std::move(problems));
  if (common.connection.remote()) return cli::change_remotely(common, options, bundle, dry_run);
  const base::SecretString bundle_text = service::to_json(bundle);
  std::string request = fmt::format("{{\"bundle\":{},\"set\":{},\"prune\":{},\"author\":\"local\"}}",
                                    base::json_string(bundle_text.reveal()), base::json_string(options.set), options.prune);
  const auto reply = control_request(common.data_dir, "POST", dry_run ? "/control/diff" : "/control/apply", request);
  base::wipe(request);
  if (reply.ok()) {
    const auto document = base::parse_json(reply->body);
    if (!document.ok() || !document->is_object())
      return fail({base::Code::Unavailable, "the server's answer cannot be read", {}});
    if (reply->status == 200) return print_report(common, document->get_object(), dry_run);
    return fail({reply->status == 409 ? base::Code::Conflict : base::Code::Unavailable,
                 std::string(text_of(document->get_object(), "error")),
                 {}});
  }
  if (reply.error().code != base::Code::NotFound) return fail(reply.error());
  auto config = load_config(common.config_path);
  if (!config.ok()) return fail(config.error());
  base::log::configure(base::log::Level::Warning, "-");
  auto zygote = start_zygote();
  if (!zygote.ok()) return fail(zygote.error());
  auto instance = Instance::open({common.data_dir, common.password_sources, false}, std::move(*config), *zygote);
  if (!instance.ok()) return fail(instance.error());
  auto result = apply_locally(**instance, bundle, options, dry_run);
  // As a running server tells it: what the state forbids is a conflict.
  if (!result.ok() && result.error().code == base::Code::FailedPrecondition)
    result = base::Error{base::Code::Conflict, result.error().message, {}};
  const int code =
      result.ok() ? printed([&] { return print_report(common, service::to_json(*result), dry_run); }) : fail(result.error());
  // Everything durable is written; threads and workers end with the process.
  std::_Exit(code);
}

// Files of an export. The names come from the server: none may lead out of the folder.
int write_files(const std::string& folder, const json::array& files) {
  for (const json::value& entry : files) {
    if (!entry.is_object()) continue;
    const std::filesystem::path relative{std::string(text_of(entry.get_object(), "path"))};
    if (relative.is_absolute() || std::find(relative.begin(), relative.end(), "..") != relative.end())
      return fail({base::Code::Unavailable, "the server named a file outside of the folder: " + relative.string(), {}});
    const auto path = std::filesystem::path(folder) / relative;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (auto status = base::write_file_durably(path.string(), text_of(entry.get_object(), "content"), 0644); !status.ok())
      return fail(status.error());
    fmt::print("{}\n", path.string());
  }
  return kDone;
}

}  // namespace

void print_document(const CommonOptions& common, const json::value& document) {
  if (common.output == "yaml") return cli::print(cli::Format::Yaml, document);
  fmt::print("{}\n", base::to_json(document));
}

int print_report(const CommonOptions& common, const json::object& result, bool difference_counts) {
  if (!is_for_people(common)) {
    print_document(common, result);
  } else {
    print_lines(stderr, result, "warnings", "text", "warning: ");
    print_lines(stderr, result, "problems", "text", "");
    print_lines(stderr, result, "usedBy", "text", "still used by ");
    if (!has_lines(result, "problems")) print_lines(stdout, result, "objects", "text", "");
  }
  return code_of(result, difference_counts);
}

// Not by a function that throws where standard error takes no more: nobody could be told of that.
int fail(const base::Error& error) {
  std::fputs(fmt::format("funcgate: {}\n", error.message).c_str(), stderr);
  return exit_code(error);
}

int serve(const CommonOptions& common, const ServeOptions& options) {
  if (!options.listen.empty()) {
    if (auto address = http::parse_listen_address(options.listen); !address.ok()) return fail(address.error()), kUsage;
  }
  auto config = load_config(common.config_path);
  if (!config.ok()) return fail(config.error()), kCannotStart;
  // Before any thread: they all inherit the mask, and only serve() waits for these.
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  auto zygote = start_zygote();
  if (!zygote.ok()) return fail(zygote.error()), kCannotStart;
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  base::log::configure(config->log_level, config->log_path);
  const std::string listen = !options.listen.empty()   ? options.listen
                             : !config->listen.empty() ? config->listen
                                                       : "127.0.0.1:8089";
  auto instance = Instance::open({common.data_dir, common.password_sources, true}, std::move(*config), *zygote);
  if (!instance.ok()) return fail(instance.error()), kCannotStart;
  // From here on threads run: the process ends at once, without destructors under their feet.
  const auto end = [](int code) {
    std::fflush(stdout);
    std::_Exit(code);
  };
  for (const std::string& folder : options.apply) {
    std::vector<service::Problem> problems;
    const service::Bundle bundle = service::read_bundle(folder, service::process_environment, problems);
    if (!problems.empty()) end(printed([&] { return report_problems(common, std::move(problems)); }));
    // Each folder is a set of its own: pruning one never touches another.
    ResourceOptions resource_options;
    resource_options.set = std::filesystem::path(folder).lexically_normal().filename().string();
    if (resource_options.set.empty()) resource_options.set = "default";
    auto applied = apply_locally(**instance, bundle, resource_options, false);
    if (!applied.ok()) end(fail(applied.error()));
    const json::object report = service::to_json(*applied);
    // Where nobody can read the report the server says so and serves: what was applied is stored and live.
    std::ignore = printed([&] { return print_report(common, report, false); });
    if (const int code = code_of(report, false); code != kDone) end(code);
  }
  // This thread waits for signals from here on: nothing would overwrite what reading the documents left behind.
  base::wipe_stack();
  auto served = (*instance)->serve(listen);
  // Records and databases are written. Calls that the deadline cut off still hold frames and buffers: the kernel takes them.
  end(served.ok() ? kDone : (fail(served.error()), kCannotStart));
  return kDone;
}

int apply(const CommonOptions& common, const ResourceOptions& options) { return change(common, options, options.dry_run); }
int diff(const CommonOptions& common, const ResourceOptions& options) { return change(common, options, true); }

int validate(const CommonOptions& common, const ResourceOptions& options) {
  const auto result = service::validate_folder(options.folder, service::process_environment, base::SystemClock().wall_ms());
  const int code = print_report(common, service::to_json(result), false);
  if (code == kDone && is_for_people(common)) fmt::print("{} documents are valid\n", result.objects.size());
  return code;
}

int export_resources(const CommonOptions& common, const ExportOptions& options) {
  const std::string kinds = base::join(options.kinds, ",");
  json::array files;
  if (common.connection.remote()) {
    auto exported = cli::export_remotely(common, kinds, options.application);
    if (!exported.ok()) return fail(exported.error());
    return write_files(options.folder, *exported);
  }
  std::string path = "/control/export";
  if (!kinds.empty()) cli::append_query(path, "kind", kinds);
  if (!options.application.empty()) cli::append_query(path, "application", options.application);
  const auto reply = control_request(common.data_dir, "GET", path, "");
  if (reply.ok()) {
    const auto document = base::parse_json(reply->body);
    const auto* list = document.ok() && document->is_object() ? document->get_object().if_contains("files") : nullptr;
    if (reply->status == 404 && document.ok() && document->is_object())
      return fail({base::Code::NotFound, std::string(text_of(document->get_object(), "error")), {}});
    if (reply->status != 200 || list == nullptr || !list->is_array())
      return fail({base::Code::Unavailable, "the server could not export", {}});
    files = list->get_array();
  } else if (reply.error().code != base::Code::NotFound) {
    return fail(reply.error());
  } else {
    if (!std::filesystem::exists(common.data_dir + "/funcgate.db"))
      return fail({base::Code::NotFound, common.data_dir + " is not a data directory", {}});
    std::set<domain::ResourceKind> wanted;
    if (!kinds.empty()) {
      auto named = service::parse_document_kinds(kinds);
      if (!named.ok()) return fail(named.error()), kUsage;
      wanted = std::move(*named);
    }
    auto config = load_config(common.config_path);
    if (!config.ok()) return fail(config.error());
    base::log::configure(base::log::Level::Warning, "-");
    auto instance = Instance::open_identity({common.data_dir, common.password_sources, false}, std::move(*config));
    if (!instance.ok()) return fail(instance.error());
    const auto exported = (*instance)->export_documents(wanted, options.application);
    if (!exported.ok()) return fail(exported.error());
    for (const auto& file : *exported) files.push_back(json::object{{"path", file.path}, {"content", file.content}});
  }
  return write_files(options.folder, files);
}

int check_config(const CommonOptions& common, bool print) {
  if (print) {
    fmt::print("{}", describe_config());
    return kDone;
  }
  const auto config = load_config(common.config_path);
  if (!config.ok()) return fail(config.error());
  fmt::print("{} is valid\n", common.config_path.empty() ? "the default configuration" : common.config_path);
  return kDone;
}

}  // namespace funcgate::app
