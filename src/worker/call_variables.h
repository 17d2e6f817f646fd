// The per-call names (`_DFF_TRACE_ID` and the like): entries of the dict that all scripts of the worker have as built-ins.
//
// One store per name serves every module. Only names that the scripts' code mentions are stored; when code may reach names in
// ways that cannot be seen (eval, exec, globals …), all of them are.
// Thread-safety: the caller holds the GIL.
#pragma once

#include <optional>
#include <vector>

#include "worker/call.h"
#include "worker/request_object.h"

namespace funcgate::worker {

class CallVariables {
 public:
  // Makes the shared built-ins, with every variable at its value outside of a call. Empty with a Python exception.
  PyRef make_namespace();
  // `names_read`: set of the names that the loaded scripts mention. False with a Python exception.
  bool select(PyObject* names_read);

  // Before and after each call. begin(): false with a Python exception.
  bool begin(Runtime& runtime, const Call& call);
  void end();

 private:
  struct Variable {
    PyRef name, empty;
    PyRef (CallVariables::*make)(Runtime&, const Call&) = nullptr;
    bool per_call_object = false;  // is taken back at the end
  };
  bool store(const Variable& variable, const PyRef& value);

  PyRef http_request(Runtime& runtime, const Call& call);
  PyRef caller(Runtime& runtime, const Call& call);

  template <PyRef Function::* Member>
  PyRef of_function(Runtime&, const Call& call) {
    return call.function->*Member;
  }
  template <std::string_view wire::Invoke::* Member>
  PyRef text(Runtime&, const Call& call) {
    return py_text(call.invoke->*Member);
  }
  template <std::string_view wire::Invoke::* Member>
  PyRef json(Runtime& runtime, const Call& call);
  PyRef trace_id(Runtime&, const Call& call);
  PyRef chain(Runtime& runtime, const Call& call);
  PyRef kwargs(Runtime&, const Call& call);
  PyRef trigger_time(Runtime&, const Call& call);
  PyRef trigger_time_ms(Runtime&, const Call& call);
  PyRef start_time(Runtime&, const Call& call);
  PyRef start_time_ms(Runtime&, const Call& call);
  PyRef queue(Runtime&, const Call& call);
  PyRef debug(Runtime&, const Call& call);

  static decltype(Variable::make) maker_of(std::string_view name);

  PyRef namespace_;
  std::vector<Variable> all_, used_;
  std::optional<RequestObject> request_;
};

}  // namespace funcgate::worker
