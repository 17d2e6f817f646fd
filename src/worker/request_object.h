// `_DFF_HTTP_REQUEST` and `_DFF_CALLER` of one call, made when a script first reads them.
//
// Thread-safety: the caller holds the GIL.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "wire/messages.h"
#include "worker/json_reader.h"
#include "worker/read_only_map.h"

namespace funcgate::worker {

// What a restricted call may read: `readable` of the Invoke, taken apart.
struct Readable {
  std::set<std::string, std::less<>> parts;         // caller, method, url, query, body, ip
  std::set<std::string, std::less<>> header_names;  // lower case
  std::set<std::string, std::less<>> query_names;
  std::set<std::string, std::less<>> body_paths;  // auth.token

  bool has(std::string_view part) const { return parts.contains(part); }
};

class RequestObject final : public ValueSource {
 public:
  // `invoke` must stay until end().
  RequestObject(const wire::Invoke& invoke, JsonReader& reader);
  ~RequestObject() override { end(); }
  RequestObject(const RequestObject&) = delete;
  RequestObject& operator=(const RequestObject&) = delete;

  // The mapping of the request; empty with a Python exception.
  PyRef request();
  PyRef caller();
  // Cuts what scripts kept off from the call's bytes. `request_owners`: references to request() that are not a script's.
  void end(Py_ssize_t request_owners = 1);

  PyRef value(std::string_view name) override;
  PyRef names() override;

 private:
  class Headers final : public ValueSource {
   public:
    explicit Headers(const wire::Invoke& invoke) : invoke_(invoke) {}
    PyRef value(std::string_view name) override;
    PyRef names() override;

   private:
    const wire::Invoke& invoke_;
  };

  void read_restriction();
  PyRef readable_names() const;
  PyRef headers();
  PyRef query();
  PyRef body();
  PyRef whole_body();
  PyRef raw_body() const;
  PyRef original_url() const;
  PyRef addresses();
  bool sent_by_script() const;
  const char* advice() const;

  const wire::Invoke& invoke_;
  JsonReader& reader_;
  Headers header_source_;
  std::optional<Readable> readable_;
  PyRef request_, headers_;
};

// {name: text, or list of texts for a repeated name} of a query or urlencoded body. Empty without an exception if an escape is
// broken, the result is not UTF-8 or there are more than `fields_max` fields.
PyRef parse_fields(std::string_view text, std::size_t fields_max);
// The same of multipart text parts.
PyRef collect_parts(const std::vector<wire::FormPart>& parts);
// Adds one field; false with a Python exception.
bool add_field(PyObject* fields, const PyRef& name, const PyRef& value);

// What a Content-Type says about a body.
enum class MediaType { None, Json, UrlEncoded, Multipart, Text, Other };
MediaType media_type(std::string_view content_type);

}  // namespace funcgate::worker
