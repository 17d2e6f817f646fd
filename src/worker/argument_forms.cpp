#include <simdjson.h>

#include "base/encoding.h"
#include "base/field_limit.h"
#include "base/text.h"
#include "worker/arguments.h"
#include "worker/request_object.h"

namespace funcgate::worker {
namespace {

std::optional<BadRequest> read_object(std::string_view text, std::string_view what, JsonReader& reader, unsigned depth_max,
                                      PyRef& object) {
  object = reader.read(text, depth_max);
  if (!object) return BadRequest{std::string(what) + " is not valid JSON: " + reader.problem(), {}};
  if (!PyDict_CheckExact(object.get())) return BadRequest{std::string(what) + " must be a JSON object", {}};
  return std::nullopt;
}

// Takes member `name` of a standard form out of `whole` into `target`, a dict.
std::optional<BadRequest> take_object(PyObject* whole, const char* name, PyRef& target) {
  PyObject* member = PyDict_GetItemString(whole, name);
  if (member == nullptr) return std::nullopt;
  if (!PyDict_CheckExact(member)) return BadRequest{std::string(name) + " must be a JSON object", {}};
  target = PyRef::borrow(member);
  return std::nullopt;
}

std::optional<BadRequest> refuse_others(PyObject* fields, Py_ssize_t known, std::string_view where) {
  if (PyDict_GET_SIZE(fields) == known) return std::nullopt;
  return BadRequest{"Only kwargs and options are allowed in the " + std::string(where) + " of the standard form", {}};
}

std::optional<BadRequest> post_standard(const wire::Invoke& invoke, JsonReader& reader, RawArguments& arguments) {
  if (invoke.body.empty()) return std::nullopt;
  const MediaType type = media_type(invoke.content_type);
  if (type != MediaType::Json && type != MediaType::None) {
    return BadRequest{"The body of the standard form must be JSON: set Content-Type to application/json", {}};
  }
  PyRef whole;
  if (auto bad = read_object(invoke.body, "The body", reader, invoke.json_depth_max, whole)) return bad;
  if (auto bad = take_object(whole.get(), "kwargs", arguments.kwargs)) return bad;
  if (auto bad = take_object(whole.get(), "options", arguments.options)) return bad;
  return refuse_others(whole.get(), (arguments.kwargs ? 1 : 0) + (arguments.options ? 1 : 0), "body");
}

std::optional<BadRequest> get_standard(const wire::Invoke& invoke, JsonReader& reader, RawArguments& arguments) {
  const auto fields = base::split_query(invoke.query, base::kFieldsMax);
  if (!fields) return BadRequest{"The query has too many fields", {}};
  for (const base::QueryField& field : *fields) {
    const auto name = base::decode_form(field.raw_name), value = base::decode_form(field.raw_value);
    if (!name || !value) return BadRequest{"The query is not well encoded", {}};
    if (*name != "kwargs" && *name != "options")
      return BadRequest{"Only kwargs and options are allowed in the query of the standard form", {}};
    PyRef& target = *name == "kwargs" ? arguments.kwargs : arguments.options;
    if (target) return BadRequest{*name + " is given twice", {}};
    if (auto bad = read_object(*value, *name, reader, invoke.json_depth_max, target)) return bad;
  }
  return std::nullopt;
}

std::optional<BadRequest> text_fields(std::string_view text, std::string_view what, RawArguments& arguments) {
  arguments.texts = true;
  arguments.kwargs = parse_fields(text, base::kFieldsMax);
  if (arguments.kwargs) return std::nullopt;
  return BadRequest{"The " + std::string(what) + " is not well encoded, or has too many fields", {}};
}

std::optional<BadRequest> single_argument(const char* name, PyRef value, RawArguments& arguments) {
  arguments.kwargs = PyRef::steal(PyDict_New());
  if (!arguments.kwargs || !value || PyDict_SetItemString(arguments.kwargs.get(), name, value.get()) != 0) {
    return BadRequest{"The body could not be read", {}};
  }
  return std::nullopt;
}

std::optional<BadRequest> post_simplified(const wire::Invoke& invoke, JsonReader& reader, RawArguments& arguments) {
  const MediaType type = media_type(invoke.content_type);
  if (type == MediaType::Multipart) {
    arguments.texts = true;
    arguments.kwargs = collect_parts(invoke.parts);
    return arguments.kwargs ? std::nullopt : std::optional(BadRequest{"The form could not be read", {}});
  }
  if (invoke.body.empty()) return std::nullopt;
  switch (type) {
    case MediaType::Json:
      return read_object(invoke.body, "The body", reader, invoke.json_depth_max, arguments.kwargs);
    case MediaType::UrlEncoded:
      return text_fields(invoke.body, "form", arguments);
    case MediaType::Text:
      if (!simdjson::validate_utf8(invoke.body.data(), invoke.body.size())) return BadRequest{"The body is not UTF-8 text", {}};
      arguments.texts = true;
      return single_argument("text", py_text(invoke.body), arguments);
    case MediaType::Multipart:
    case MediaType::None:
    case MediaType::Other:
      break;
  }
  arguments.texts = true;
  return single_argument("base64", py_text(base::base64_encode(invoke.body)), arguments);
}

std::optional<BadRequest> read_form(const wire::Invoke& invoke, JsonReader& reader, RawArguments& arguments) {
  switch (invoke.form) {
    case wire::ArgumentForm::Kwargs:
      // The server's own: within any limit when they came, and written anew since.
      return invoke.body.empty()
                 ? std::nullopt
                 : read_object(invoke.body, "kwargs", reader, JsonReader::kDepthMax, arguments.kwargs);
    case wire::ArgumentForm::PostStandard:
      return post_standard(invoke, reader, arguments);
    case wire::ArgumentForm::PostSimplified:
      return post_simplified(invoke, reader, arguments);
    case wire::ArgumentForm::GetStandard:
      return get_standard(invoke, reader, arguments);
    case wire::ArgumentForm::GetSimplified:
      return text_fields(invoke.query, "query", arguments);
    case wire::ArgumentForm::None:
      return std::nullopt;
  }
  return BadRequest{"Unknown form of arguments", {}};
}

}  // namespace

std::optional<BadRequest> read_argument_form(const wire::Invoke& invoke, JsonReader& reader, RawArguments& arguments) {
  auto bad = read_form(invoke, reader, arguments);
  if (!bad && !arguments.kwargs) {
    arguments.kwargs = PyRef::steal(PyDict_New());
    if (!arguments.kwargs) bad = BadRequest{"The arguments could not be read", {}};
  }
  if (bad) PyErr_Clear();
  return bad;
}

}  // namespace funcgate::worker
