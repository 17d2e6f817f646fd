// /api/v1/tasks/{id}[/result]: polling and cancelling of asynchronous runs by who made them.
#pragma once

#include "base/async.h"
#include "domain/call.h"
#include "service/answer.h"
#include "service/body_source.h"
#include "service/gateway.h"

namespace funcgate::http {

inline constexpr std::string_view kTaskPrefix = "/api/v1/tasks/";
base::Async<service::Answer> serve_task(service::Gateway& gateway, domain::Call& call, service::BodySource& body);

}  // namespace funcgate::http
