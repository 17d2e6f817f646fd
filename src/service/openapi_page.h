// OpenApiPage: the OpenAPI document of one catalog as bytes, made anew when an API in it expires.
//
// Thread-safety: any thread. find() is quick; make() takes as long as the catalog is large and belongs on a pool.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace funcgate::service {

struct Catalog;
struct ServerSettings;

struct OpenApiDocument {
  std::string text, etag;           // the tag with its quotes; equal texts have equal tags
  base::WallMs valid_until_ms = 0;  // from then on something in it is no longer true
};
using OpenApiDocumentPtr = std::shared_ptr<const OpenApiDocument>;

class OpenApiPage {
 public:
  // What is true at `now_ms`, or nullptr: then make() it.
  OpenApiDocumentPtr find(base::WallMs now_ms) const;
  // Of the catalog this page belongs to. Callers that come together wait for one document.
  OpenApiDocumentPtr make(const Catalog& catalog, const ServerSettings& settings, base::WallMs now_ms);

 private:
  std::mutex making_;  // held while a document is made
  mutable std::mutex mutex_;
  // guarded by mutex_
  OpenApiDocumentPtr document_;
};

}  // namespace funcgate::service
