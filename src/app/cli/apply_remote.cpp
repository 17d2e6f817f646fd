#include "app/cli/apply_remote.h"

#include "app/cli/api_client.h"
#include "app/cli/command.h"

namespace funcgate::app::cli {

using base::Code;
using base::Error;

int change_remotely(const CommonOptions& common, const ResourceOptions& options, const service::Bundle& bundle, bool dry_run) {
  auto client = ApiClient::open(common.connection);
  if (!client.ok()) return report(client.error());
  ApiCall call;
  call.method = "POST";
  call.path = dry_run ? "/resources/diff" : "/resources/apply";
  append_query(call.path, "set", options.set);
  if (options.prune) append_query(call.path, "prune", "true");
  const base::SecretString body = service::to_json(bundle);
  call.body = std::string(body.reveal());
  const auto reply = client->send(call);
  base::wipe(*call.body);
  if (!reply.ok()) return report(reply.error());
  const auto document = base::parse_json(reply->body);
  const json::value envelope = document.ok() ? *document : json::value();
  // A refusal for what is wrong in the documents holds the same report as a success.
  const json::value* result = member(envelope, reply->status == 200 ? "data" : "detail");
  if (result != nullptr && result->is_object() && result->get_object().contains("objects"))
    return print_report(common, result->get_object(), dry_run);
  return report(refusal_error(reply->status, envelope));
}

base::Result<json::array> export_remotely(const CommonOptions& common, const std::string& kinds, const std::string& application) {
  TRY(ApiClient client, ApiClient::open(common.connection));
  std::string path = "/resources/export";
  if (!kinds.empty()) append_query(path, "kind", kinds);
  if (!application.empty()) append_query(path, "application", application);
  TRY(const json::value data, client.get(path));
  const json::value* files = member(data, "files");
  if (files == nullptr || !files->is_array()) return Error{Code::Unavailable, "the server could not export", {}};
  return files->get_array();
}

}  // namespace funcgate::app::cli
