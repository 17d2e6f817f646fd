#include "service/openapi_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "service/catalog.h"
#include "service/openapi.h"

namespace funcgate::service {
namespace {

// The next moment at which an API expires or stops being open to everybody.
base::WallMs next_change(const Catalog& catalog, base::WallMs now_ms) {
  base::WallMs next = std::numeric_limits<base::WallMs>::max();
  for (const auto& [id, endpoint] : catalog.endpoints) {
    if (!endpoint->api.show_in_doc) continue;
    for (const auto& moment : {endpoint->api.expire_time_ms, endpoint->api.anonymous_until_ms}) {
      if (moment && *moment > now_ms) next = std::min(next, *moment);
    }
  }
  return next;
}

}  // namespace

OpenApiDocumentPtr OpenApiPage::find(base::WallMs now_ms) const {
  const std::lock_guard lock(mutex_);
  return document_ != nullptr && now_ms < document_->valid_until_ms ? document_ : nullptr;
}

OpenApiDocumentPtr OpenApiPage::make(const Catalog& catalog, const ServerSettings& settings, base::WallMs now_ms) {
  const std::lock_guard alone(making_);
  if (auto made = find(now_ms)) return made;
  auto document = std::make_shared<OpenApiDocument>();
  document->text = openapi_document(catalog, settings, now_ms);
  document->etag = fmt::format("\"{:016x}-{:x}\"", std::hash<std::string>()(document->text), document->text.size());
  document->valid_until_ms = next_change(catalog, now_ms);
  const std::lock_guard lock(mutex_);
  document_ = document;
  return document;
}

}  // namespace funcgate::service
