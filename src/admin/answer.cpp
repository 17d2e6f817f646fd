#include "admin/answer.h"

#include <fmt/format.h>

namespace funcgate::admin {
namespace {

using domain::Fault;
using domain::Reason;
namespace json = base::json;

Fault fault_of(base::Code code) {
  switch (code) {
    case base::Code::InvalidArgument: return Fault::BadRequest;
    case base::Code::Unauthenticated: return Fault::UserAuth;
    case base::Code::PermissionDenied: return Fault::UserPrivilege;
    case base::Code::NotFound: return Fault::NotFound;
    case base::Code::Conflict:
    case base::Code::FailedPrecondition: return Fault::Conflict;
    case base::Code::PayloadTooLarge: return Fault::BodyTooLarge;
    case base::Code::ResourceExhausted:
    case base::Code::Unavailable:
    case base::Code::DeadlineExceeded: return Fault::LimitReached;
    case base::Code::Cancelled:
    case base::Code::FunctionFailed:
    case base::Code::DataLoss:
    case base::Code::Internal: return Fault::System;
  }
  return Fault::System;
}

}  // namespace

Answer ok(json::value data) {
  Answer answer;
  answer.data = std::move(data);
  return answer;
}

Answer ok(json::value data, std::int64_t version) {
  Answer answer = ok(std::move(data));
  answer.etag = fmt::format("\"{}\"", version);
  return answer;
}

Answer created(json::value data, std::int64_t version) {
  Answer answer = ok(std::move(data), version);
  answer.status = 201;
  return answer;
}

Answer no_content() {
  Answer answer;
  answer.status = 204;
  return answer;
}

Answer listed(json::array rows, PageInfo page) {
  Answer answer = ok(std::move(rows));
  answer.page = std::move(page);
  return answer;
}

Answer refused(Fault fault, Reason reason, std::string message, std::string detail_json) {
  Answer answer;
  answer.refusal =
      domain::Refusal{.fault = fault, .reason = reason, .message = std::move(message), .detail = std::move(detail_json)};
  if (fault == Fault::LimitReached) answer.refusal->retry_after_s = 1;
  return answer;
}

Answer invalid(const std::vector<base::Finding>& findings) {
  json::array errors;
  for (const base::Finding& finding : findings)
    errors.push_back(json::object{{"path", finding.path}, {"code", finding.code}, {"message", finding.message}});
  return refused(Fault::BadRequest, Reason::ArgumentsInvalid, "The request is not valid",
                 base::to_json(json::object{{"errors", std::move(errors)}}));
}

Answer invalid(std::string path, std::string code, std::string message) {
  base::Finding finding;
  finding.path = std::move(path);
  finding.code = std::move(code);
  finding.message = std::move(message);
  return invalid(std::vector<base::Finding>{std::move(finding)});
}

Answer not_found(std::string_view what, std::string_view id) {
  return refused(Fault::NotFound, Reason::RouteUnknown, fmt::format("There is no {} \"{}\"", what, id));
}

Answer duplicated(std::string message) { return refused(Fault::Duplicated, Reason::ArgumentsInvalid, std::move(message)); }

Answer conflict(std::string message) { return refused(Fault::Conflict, Reason::ArgumentsInvalid, std::move(message)); }

Answer in_use(std::string message, const std::vector<std::string>& used_by) {
  json::array names;
  for (const std::string& name : used_by) names.emplace_back(name);
  return refused(Fault::Conflict, Reason::ArgumentsInvalid, std::move(message),
                 base::to_json(json::object{{"usedBy", std::move(names)}}));
}

Answer stale(std::int64_t current_version) {
  return refused(Fault::PreconditionFailed, Reason::ArgumentsInvalid, "The object was changed meanwhile; read it again",
                 base::to_json(json::object{{"version", current_version}}));
}

Answer if_match_missing() {
  return refused(Fault::PreconditionRequired, Reason::ArgumentsInvalid,
                 "If-Match is required: send the ETag of the object that was read, or *");
}

Answer privilege_missing(std::string_view privilege) {
  return refused(Fault::UserPrivilege, Reason::ArgumentsInvalid, fmt::format("Privilege \"{}\" is required", privilege));
}

Answer from_error(const base::Error& error) {
  const Fault fault = fault_of(error.code);
  if (fault == Fault::System) return refused(fault, Reason::Internal, "The request could not be completed; see the server's log");
  const bool is_late = error.code == base::Code::DeadlineExceeded;
  return refused(fault, is_late ? Reason::FunctionTimeout : Reason::ArgumentsInvalid, error.message);
}

}  // namespace funcgate::admin
