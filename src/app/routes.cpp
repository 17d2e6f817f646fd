#include "app/routes.h"

#include <set>

#include "base/json.h"
#include "base/offload.h"
#include "http/proxy.h"
#include "service/apply/document_kinds.h"
#include "service/apply/events.h"

namespace funcgate::app {
namespace {

namespace json = base::json;
using service::Answer;

Answer text_answer(int status, std::string content_type, std::string body) {
  Answer answer;
  answer.status = status;
  answer.owned_content_type = std::move(content_type);
  answer.owned_body = std::move(body);
  return answer;
}

Answer json_answer(int status, const json::value& value) {
  return text_answer(status, "application/json", base::to_json(value) + "\n");
}

Answer error_answer(const base::Error& error) {
  const bool conflict = error.code == base::Code::Conflict || error.code == base::Code::FailedPrecondition;
  return json_answer(error.code == base::Code::InvalidArgument ? 400
                     : error.code == base::Code::NotFound      ? 404
                     : conflict                                ? 409
                                                               : 503,
                     json::object{{"error", error.message}, {"code", base::code_name(error.code)}});
}

std::string text_of(const json::object& object, std::string_view name, std::string otherwise) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : otherwise;
}

bool flag_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace

base::Async<std::optional<Answer>> ServerRoutes::serve(const domain::Call& call, http::Entrance entrance) {
  const bool reads = call.method == domain::Method::Get || call.method == domain::Method::Head;
  if (reads && call.path == "/healthz") co_return text_answer(200, "application/json", "{\"status\":\"ok\"}\n");
  if (reads && call.path == "/readyz") co_return ready();
  if (reads && call.path == "/metrics" && may_read_metrics(call, entrance))
    co_return text_answer(200, "text/plain; version=0.0.4; charset=utf-8", parts_.metrics.render());
  if (reads && call.path == "/openapi.json") co_return co_await openapi(call);
  if (entrance != http::Entrance::Control) co_return std::nullopt;
  if (call.method == domain::Method::Post && (call.path == "/control/apply" || call.path == "/control/diff")) {
    co_return co_await apply(call, call.path == "/control/diff");
  }
  if (call.method == domain::Method::Post && call.path == "/control/setup-token") co_return co_await setup_token();
  if (call.method == domain::Method::Post && call.path == "/control/keystore") co_return co_await keystore(call);
  if (reads && call.path == "/control/export") co_return co_await export_files(call);
  co_return std::nullopt;
}

bool ServerRoutes::may_read_metrics(const domain::Call& call, http::Entrance entrance) const {
  if (entrance == http::Entrance::Control) return true;
  // Through a proxy that nobody declared as trusted everybody looks like the proxy.
  if (!http::is_client_sure(call, parts_.settings)) return false;
  for (const domain::Network& network : parts_.settings.metrics_networks) {
    if (network.contains(call.peer)) return true;
  }
  return false;
}

Answer ServerRoutes::ready() {
  const bool ok = !parts_.stopping.load() && parts_.catalog.current()->generation != nullptr;
  json::array degraded;
  for (const std::string& purpose : parts_.plane.keystore().degraded()) degraded.emplace_back(purpose);
  return json_answer(ok ? 200 : 503, json::object{{"status", ok ? "ready" : "not ready"}, {"degraded", std::move(degraded)}});
}

base::Async<std::optional<Answer>> ServerRoutes::openapi(const domain::Call& call) {
  if (parts_.settings.openapi_access == "signed-in") {
    if (auto refusal = co_await parts_.plane.edge().refuse_stranger(io_, call)) co_return refusal;
  } else if (parts_.settings.openapi_access != "public") {
    co_return std::nullopt;
  }
  const service::CatalogPtr catalog = parts_.catalog.current();
  const base::WallMs now_ms = io_.clock().wall_ms();
  service::OpenApiDocumentPtr document = catalog->openapi->find(now_ms);
  if (document == nullptr) {
    std::function<base::Result<service::OpenApiDocumentPtr>()> work = [&]() -> base::Result<service::OpenApiDocumentPtr> {
      return catalog->openapi->make(*catalog, parts_.settings, now_ms);
    };
    base::Result<service::OpenApiDocumentPtr> made =
        co_await base::offload<service::OpenApiDocumentPtr>(parts_.management, io_, work);
    if (!made.ok()) co_return error_answer(made.error());
    document = *made;
  }
  Answer answer;
  answer.own_headers.emplace_back("ETag", document->etag);
  const auto* known = call.header("if-none-match");
  if (known != nullptr && *known == document->etag) {
    answer.status = 304;
    co_return answer;
  }
  answer.content_type = "application/json";
  answer.owned_body = document->text;
  co_return answer;
}

base::Async<Answer> ServerRoutes::apply(const domain::Call& call, bool dry_run) {
  std::string body(call.body);
  std::function<base::Result<std::string>()> work = [this, &body, dry_run]() -> base::Result<std::string> {
    TRY(const json::value document, base::parse_json(body));
    base::wipe(body);
    const json::object* request = document.if_object();
    const auto* bundle_text = request == nullptr ? nullptr : request->if_contains("bundle");
    if (bundle_text == nullptr || !bundle_text->is_string())
      return base::Error{base::Code::InvalidArgument, "the bundle is missing", {}};
    const auto& text = bundle_text->get_string();
    TRY(const service::Bundle bundle, service::bundle_from_json({text.data(), text.size()}));
    service::ApplyOptions options;
    options.set = text_of(*request, "set", "default");
    options.prune = flag_of(*request, "prune");
    options.dry_run = dry_run || flag_of(*request, "dryRun");
    options.author = text_of(*request, "author", "local");
    options.actor = domain::local_actor();
    TRY(const service::ApplyResult result,
        options.dry_run ? parts_.resources.diff(bundle, options) : parts_.resources.apply(bundle, options));
    return base::to_json(service::to_json(result));
  };
  base::Result<std::string> result = co_await base::offload<std::string>(parts_.management, io_, work);
  base::wipe(body);
  if (!result.ok()) co_return error_answer(result.error());
  co_return text_answer(200, "application/json", std::move(*result));
}

// What `funcgate keystore` asks for (keystore_control.h). The body may hold a secret.
base::Async<Answer> ServerRoutes::keystore(const domain::Call& call) {
  std::string body(call.body);
  std::function<base::Result<std::string>()> work = [this, &body]() -> base::Result<std::string> {
    TRY(const json::value document, base::parse_json(body));
    base::wipe(body);
    const json::object* request = document.if_object();
    if (request == nullptr) return base::Error{base::Code::InvalidArgument, "The request must be a JSON object.", {}};
    TRY(const json::object answer, parts_.plane.keystore_control().run(*request, domain::local_actor()));
    return base::to_json(answer);
  };
  // Not behind an apply: see Management::keystore_pool().
  base::Result<std::string> result = co_await base::offload<std::string>(parts_.plane.keystore_pool(), io_, work);
  base::wipe(body);
  if (!result.ok()) co_return error_answer(result.error());
  co_return text_answer(200, "application/json", std::move(*result));
}

namespace {

struct ExportQuery {
  std::set<domain::ResourceKind> kinds;
  std::string application;
};

// `?kind=Role,UserGroup&application=Shop`: of these kinds, of this application; what is left out is no limit.
base::Result<ExportQuery> read_export_query(std::string_view query) {
  ExportQuery out;
  const auto fields = base::split_query(query, 2);
  for (const base::QueryField& field : fields.value_or(std::vector<base::QueryField>(1))) {
    const auto value = base::decode_form(field.raw_value);
    if (field.raw_name == "kind" && value) {
      TRY(out.kinds, service::parse_document_kinds(*value));
    } else if (field.raw_name == "application" && value) {
      out.application = *value;
    } else {
      return base::Error{base::Code::InvalidArgument, "the query of an export is kind=KIND,… and application=NAME", {}};
    }
  }
  return out;
}

}  // namespace

base::Async<Answer> ServerRoutes::export_files(const domain::Call& call) {
  const auto wanted = read_export_query(call.query);
  if (!wanted.ok()) co_return error_answer(wanted.error());
  std::function<base::Result<std::string>()> work = [this, &wanted]() -> base::Result<std::string> {
    json::array files;
    TRY_DONE(parts_.plane.check_application(wanted->application));
    TRY(auto exported, parts_.resources.export_documents(wanted->kinds));
    if (!wanted->application.empty()) service::keep_application(exported, wanted->application);
    TRY_DONE(parts_.plane.identity().record({service::export_event(exported, domain::local_actor())}));
    for (const auto& file : exported) files.push_back(json::object{{"path", file.path}, {"content", file.content}});
    return base::to_json(json::object{{"files", std::move(files)}});
  };
  base::Result<std::string> result = co_await base::offload<std::string>(parts_.management, io_, work);
  if (!result.ok()) co_return error_answer(result.error());
  co_return text_answer(200, "application/json", std::move(*result));
}

base::Async<Answer> ServerRoutes::setup_token() {
  std::function<base::Result<std::string>()> work = [this] { return parts_.plane.renew_setup_token(); };
  base::Result<std::string> path = co_await base::offload<std::string>(parts_.management, io_, work);
  if (!path.ok()) co_return error_answer(path.error());
  co_return json_answer(200, json::object{{"path", *path}});
}

}  // namespace funcgate::app
