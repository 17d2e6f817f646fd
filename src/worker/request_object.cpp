#include "worker/request_object.h"

#include <algorithm>
#include <array>

#include "base/field_limit.h"
#include "base/text.h"

namespace funcgate::worker {
namespace {

constexpr std::array<std::string_view, 13> kNames = {"method", "url",  "originalUrl", "host", "hostname", "protocol", "headers",
                                                     "query",  "body", "rawBody",     "ip",   "ips",      "xhr"};

PyRef none() { return PyRef::borrow(Py_None); }

PyRef frozen(const std::set<std::string, std::less<>>& names) {
  PyRef set = PyRef::steal(PyFrozenSet_New(nullptr));
  for (const std::string& name : names) {
    const PyRef text = py_text(name);
    if (!set || !text || PySet_Add(set.get(), text.get()) != 0) return {};
  }
  return set;
}

// The part of `value` at `paths`: the rest does not exist for the reader.
PyRef cut_to_paths(const PyRef& value, const std::set<std::string, std::less<>>& paths, const char* advice) {
  if (!PyDict_Check(value.get())) return none();
  PyRef kept = PyRef::steal(PyDict_New());
  std::set<std::string, std::less<>> names;
  std::set<std::string, std::less<>> done;
  for (const std::string& path : paths) {
    const auto dot = path.find('.');
    const std::string name = path.substr(0, dot);
    if (!names.insert(name).second) continue;
    PyObject* member = PyDict_GetItemString(value.get(), name.c_str());
    if (member == nullptr) continue;
    std::set<std::string, std::less<>> deeper;
    bool whole = false;
    for (const std::string& other : paths) {
      if (other == name) whole = true;
      if (other.starts_with(name + ".")) deeper.insert(other.substr(name.size() + 1));
    }
    const PyRef part = whole ? PyRef::borrow(member) : cut_to_paths(PyRef::borrow(member), deeper, advice);
    if (!kept || !part || PyDict_SetItemString(kept.get(), name.c_str(), part.get()) != 0) return {};
  }
  return make_read_only_map(std::move(kept), nullptr, false, frozen(names), advice);
}

}  // namespace

MediaType media_type(std::string_view content_type) {
  const std::string type = base::to_lower(base::trim(content_type.substr(0, content_type.find(';'))));
  if (type.empty()) return MediaType::None;
  if (type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"))) return MediaType::Json;
  if (type == "application/x-www-form-urlencoded") return MediaType::UrlEncoded;
  if (type == "multipart/form-data") return MediaType::Multipart;
  if (type.starts_with("text/")) return MediaType::Text;
  return MediaType::Other;
}

bool add_field(PyObject* fields, const PyRef& name, const PyRef& value) {
  if (!name || !value) return false;
  PyObject* before = PyDict_GetItemWithError(fields, name.get());
  if (before == nullptr) return PyErr_Occurred() == nullptr && PyDict_SetItem(fields, name.get(), value.get()) == 0;
  if (PyList_CheckExact(before)) return PyList_Append(before, value.get()) == 0;
  const PyRef list = PyRef::steal(PyList_New(2));
  if (!list) return false;
  PyList_SET_ITEM(list.get(), 0, PyRef::borrow(before).release());
  PyList_SET_ITEM(list.get(), 1, PyRef(value).release());
  return PyDict_SetItem(fields, name.get(), list.get()) == 0;
}

PyRef parse_fields(std::string_view text, std::size_t fields_max) {
  const auto segments = base::split_query(text, fields_max);
  if (!segments) return {};
  PyRef fields = PyRef::steal(PyDict_New());
  for (const base::QueryField& segment : *segments) {
    const auto name = base::decode_form(segment.raw_name), value = base::decode_form(segment.raw_value);
    if (!name || !value || !fields || !add_field(fields.get(), py_text(*name), py_text(*value))) return {};
  }
  return fields;
}

PyRef collect_parts(const std::vector<wire::FormPart>& parts) {
  PyRef fields = PyRef::steal(PyDict_New());
  for (const wire::FormPart& part : parts) {
    if (!fields || !add_field(fields.get(), py_text(part.name), py_text(part.value))) return {};
  }
  return fields;
}

RequestObject::RequestObject(const wire::Invoke& invoke, JsonReader& reader)
    : invoke_(invoke), reader_(reader), header_source_(invoke) {
  if ((invoke.flags & wire::kRestricted) != 0) read_restriction();
}

const char* RequestObject::advice() const { return invoke_.mode == wire::InvokeMode::Auth ? "credentialFields" : "cache_vary"; }

void RequestObject::read_restriction() {
  readable_.emplace();
  const PyRef list = reader_.read(invoke_.readable.empty() ? "[]" : invoke_.readable);
  // What cannot be read restricts to nothing: fail closed.
  if (!list || !PyList_Check(list.get())) return;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* element = PyList_GET_ITEM(list.get(), i);
    if (!PyUnicode_Check(element)) continue;
    const std::string_view part = text_of(element);
    if (part.starts_with("header:")) {
      readable_->header_names.insert(base::to_lower(part.substr(7)));
    } else if (part.starts_with("query:")) {
      readable_->query_names.emplace(part.substr(6));
    } else if (part.starts_with("body:")) {
      readable_->body_paths.emplace(part.substr(5));
    } else {
      readable_->parts.emplace(part);
    }
  }
}

PyRef RequestObject::readable_names() const {
  std::set<std::string, std::less<>> names;
  for (std::string_view part : {"method", "url", "query", "body", "ip"}) {
    if (readable_->has(part)) names.emplace(part);
  }
  if (readable_->has("url") && readable_->has("query")) names.emplace("originalUrl");
  if (readable_->has("body")) names.emplace("rawBody");
  if (!readable_->header_names.empty()) names.emplace("headers");
  if (readable_->header_names.contains("x-requested-with")) names.emplace("xhr");
  if (!readable_->query_names.empty()) names.emplace("query");
  if (!readable_->body_paths.empty()) names.emplace("body");
  return frozen(names);
}

PyRef RequestObject::request() {
  if (request_) return request_;
  PyRef restriction;
  if (readable_) {
    restriction = readable_names();
    if (!restriction) return {};
  }
  const bool http = (invoke_.flags & wire::kIsHttp) != 0;
  request_ = make_read_only_map(PyRef::steal(PyDict_New()), http ? this : nullptr, false, std::move(restriction), advice());
  return request_;
}

PyRef RequestObject::caller() {
  const bool hidden = readable_ && !readable_->has("caller");
  if (hidden) return make_read_only_map(PyRef::steal(PyDict_New()), nullptr, false, frozen({}), advice());
  PyRef values = invoke_.caller.empty() ? PyRef::steal(PyDict_New()) : reader_.read(invoke_.caller);
  if (!values || !PyDict_Check(values.get())) values = PyRef::steal(PyDict_New());
  return make_read_only_map(std::move(values), nullptr, false, {}, advice());
}

void RequestObject::end(Py_ssize_t request_owners) {
  // First the request, which may make its headers for the first time.
  detach(request_, request_owners);
  // One reference is ours, one is the request's.
  detach(headers_, request_ && Py_REFCNT(request_.get()) > request_owners ? 0 : 2);
  request_.reset();
  headers_.reset();
}

PyRef RequestObject::names() {
  PyRef list = PyRef::steal(PyList_New(0));
  for (std::string_view name : kNames) {
    const PyRef text = py_text(name);
    if (!list || !text || PyList_Append(list.get(), text.get()) != 0) return {};
  }
  return list;
}

PyRef RequestObject::value(std::string_view name) {
  if (name == "headers") return headers();
  if (name == "query") return query();
  if (name == "body") return body();
  if (name == "method") return py_text(invoke_.method);
  if (name == "url") return py_text(invoke_.path);
  if (name == "originalUrl") return original_url();
  if (name == "host") return py_text(invoke_.host);
  if (name == "hostname") return py_text(invoke_.hostname);
  if (name == "protocol") return py_text(invoke_.protocol);
  if (name == "ip") return py_text(invoke_.ip);
  if (name == "ips") return addresses();
  if (name == "rawBody") return raw_body();
  if (name == "xhr") return PyRef::borrow(sent_by_script() ? Py_True : Py_False);
  return {};
}

PyRef RequestObject::original_url() const {
  std::string url(invoke_.path);
  if (!invoke_.query.empty()) url.append("?").append(invoke_.query);
  return py_text(url);
}

PyRef RequestObject::headers() {
  if (!headers_) {
    PyRef restriction = readable_ ? frozen(readable_->header_names) : PyRef();
    headers_ = make_read_only_map(PyRef::steal(PyDict_New()), &header_source_, true, std::move(restriction), advice());
  }
  return headers_;
}

PyRef RequestObject::query() {
  PyRef fields = parse_fields(invoke_.query, base::kFieldsMax);
  if (!fields) {
    if (PyErr_Occurred() != nullptr) return {};
    fields = PyRef::steal(PyDict_New());
  }
  if (!readable_ || readable_->has("query")) return fields;
  PyRef kept = PyRef::steal(PyDict_New());
  for (const std::string& name : readable_->query_names) {
    PyObject* field = PyDict_GetItemString(fields.get(), name.c_str());
    if (field != nullptr && (!kept || PyDict_SetItemString(kept.get(), name.c_str(), field) != 0)) return {};
  }
  return make_read_only_map(std::move(kept), nullptr, false, frozen(readable_->query_names), advice());
}

PyRef RequestObject::body() {
  PyRef whole = whole_body();
  if (!whole || !readable_ || readable_->has("body")) return whole;
  return cut_to_paths(whole, readable_->body_paths, advice());
}

PyRef RequestObject::whole_body() {
  PyRef parsed;
  switch (media_type(invoke_.content_type)) {
    case MediaType::Json:
      parsed = invoke_.body.empty() ? PyRef() : reader_.read(invoke_.body, invoke_.json_depth_max);
      break;
    case MediaType::UrlEncoded:
      parsed = parse_fields(invoke_.body, base::kFieldsMax);
      break;
    case MediaType::Multipart:
      parsed = invoke_.parts.empty() ? PyRef() : collect_parts(invoke_.parts);
      break;
    case MediaType::Text:
      if (base::is_valid_utf8(invoke_.body)) parsed = py_text(invoke_.body);
      break;
    case MediaType::None:
    case MediaType::Other:
      break;
  }
  if (parsed) return parsed;
  return PyErr_Occurred() != nullptr ? PyRef() : none();
}

PyRef RequestObject::raw_body() const {
  if ((invoke_.flags & wire::kRawBodyIntact) == 0 || media_type(invoke_.content_type) == MediaType::Multipart) return none();
  return PyRef::steal(PyBytes_FromStringAndSize(invoke_.body.data(), static_cast<Py_ssize_t>(invoke_.body.size())));
}

PyRef RequestObject::addresses() {
  if (!invoke_.ips.empty()) {
    PyRef list = reader_.read(invoke_.ips);
    if (list && PyList_Check(list.get())) return list;
  }
  PyRef list = PyRef::steal(PyList_New(0));
  const PyRef client = py_text(invoke_.ip);
  if (!list || !client || PyList_Append(list.get(), client.get()) != 0) return {};
  return list;
}

bool RequestObject::sent_by_script() const {
  return std::any_of(invoke_.headers.begin(), invoke_.headers.end(), [](const wire::HeaderField& field) {
    return field.name == "x-requested-with" && base::equals_ignore_case(field.value, "XMLHttpRequest");
  });
}

PyRef RequestObject::Headers::value(std::string_view name) {
  const wire::HeaderField* first = nullptr;
  std::string joined;
  for (const wire::HeaderField& field : invoke_.headers) {
    if (field.name != name) continue;
    if (first == nullptr) {
      first = &field;
      continue;
    }
    if (joined.empty()) joined = first->value;
    joined.append(", ").append(field.value);
  }
  if (first == nullptr) return {};
  const std::string_view text = joined.empty() ? first->value : std::string_view(joined);
  // Header bytes that are not UTF-8 are ISO-8859-1 (RFC 9110, 5.5), as every server shows them.
  return base::is_valid_utf8(text) ? py_text(text) : py_text(base::latin1_to_utf8(text));
}

PyRef RequestObject::Headers::names() {
  PyRef list = PyRef::steal(PyList_New(0));
  for (const wire::HeaderField& field : invoke_.headers) {
    const PyRef text = py_text(field.name);
    if (!list || !text || PyList_Append(list.get(), text.get()) != 0) return {};
  }
  return list;
}

}  // namespace funcgate::worker
