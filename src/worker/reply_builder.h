// From what a function returned or raised to the fields of a Reply.
//
// The views of a Reply point into this object and are valid until the next begin().
// Thread-safety: the caller holds the GIL.
#pragma once

#include <deque>
#include <string>

#include "wire/messages.h"
#include "worker/arguments.h"

namespace funcgate::worker {

class ReplyBuilder {
 public:
  // Looks up the types of dff. False with a Python exception.
  bool prepare();

  void begin() {
    body_.clear();
    problem_.clear();
    texts_.clear();
  }
  // Function-apis, section 7.
  void value(PyObject* result, const wire::Invoke& invoke, const CallOptions& options, JsonWriter& writer, wire::Reply& reply);
  // Authentication, section 6.2: `result` judged by identity, never by truth.
  void verdict(PyObject* result, JsonWriter& writer, wire::Reply& reply);
  // Takes the current Python exception. `print_log` gets the reason of a refused answer, for the author.
  void raised(JsonWriter& writer, PrintLog& print_log, base::SteadyNs now, wire::Reply& reply);
  void bad_request(const BadRequest& bad, wire::Reply& reply);
  // {"kwargs":{…}} in a form that the same function accepts again.
  void canonical(PyObject* kwargs, JsonWriter& writer, wire::Reply& reply);
  void no_memory(wire::Reply& reply);
  // True after an outcome that may have left the process short of memory.
  bool out_of_memory() const { return out_of_memory_; }

 private:
  bool inline_body(PyObject* data, std::size_t bytes_max, JsonWriter& writer, std::string_view& default_type);
  void custom(PyObject* response, const wire::Invoke& invoke, JsonWriter& writer, wire::Reply& reply);
  bool custom_headers(PyObject* response, wire::Reply& reply);
  void large(PyObject* data, const wire::Invoke& invoke, JsonWriter& writer, wire::Reply& reply);
  bool write_call_file(const wire::Invoke& invoke, wire::Reply& reply);
  void invalid(std::string_view type_name, wire::Reply& reply);
  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

  PyRef response_type_, invalid_response_, describe_;
  std::string body_, problem_;
  std::deque<std::string> texts_;
  bool out_of_memory_ = false;
};

}  // namespace funcgate::worker
