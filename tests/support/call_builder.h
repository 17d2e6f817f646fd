// a_call(): a domain::Call with memory of its own, built member by member.
//
//   auto call = a_call().post("/api/v1/func-api/basket?x=1").header("X-Shop-Token", "w9").json(R"({"a":1})");
//   scheme.try_now({.call = *call, …});
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/text.h"
#include "domain/call.h"
#include "support/fake_clock.h"

namespace funcgate::test {

class CallBuilder {
 public:
  CallBuilder() { method("GET", "/api/v1/func-api/basket"); }
  CallBuilder(CallBuilder&&) = default;  // a deque keeps its strings where they are
  CallBuilder(const CallBuilder&) = delete;

  CallBuilder& method(std::string_view name, std::string_view target) {
    call_.method_text = keep(name);
    call_.method = domain::parse_method(name);
    call_.target = keep(target);
    const std::size_t mark = call_.target.find('?');
    call_.path = call_.target.substr(0, mark);
    call_.query = mark == std::string_view::npos ? std::string_view() : call_.target.substr(mark + 1);
    call_.host = "fn.example.net";
    call_.trace_id = "TRACE-1";
    call_.api_id = "basket";
    if (!has_peer_) from("203.0.113.7");
    call_.arrival_ms = kStartMs;
    return *this;
  }
  CallBuilder& get(std::string_view target) { return method("GET", target); }
  CallBuilder& post(std::string_view target) { return method("POST", target); }
  CallBuilder& header(std::string_view name, std::string_view value) {
    call_.headers.push_back({keep(base::to_lower(name)), keep(base::trim(value))});
    return *this;
  }
  CallBuilder& authorization(std::string_view value) { return header("authorization", value); }
  CallBuilder& from(std::string_view address) {
    call_.peer = *domain::Address::parse(address);
    has_peer_ = true;
    return *this;
  }
  CallBuilder& over_tls() {
    call_.tls = true;
    return *this;
  }
  // A body that has been read.
  CallBuilder& body(std::string_view content_type, std::string_view bytes) {
    body_to_come(content_type, static_cast<std::int64_t>(bytes.size()));
    return arrives(bytes, true);
  }
  CallBuilder& json(std::string_view text) { return body("application/json", text); }
  CallBuilder& form(std::string_view text) { return body("application/x-www-form-urlencoded", text); }
  // A body that nobody has read yet.
  CallBuilder& body_to_come(std::string_view content_type, std::int64_t length) {
    header("content-type", content_type);
    call_.has_body = true;
    call_.content_length = length;
    call_.body_complete = false;
    return *this;
  }
  CallBuilder& arrives(std::string_view bytes, bool complete) {
    call_.body = keep(bytes);
    call_.body_complete = complete;
    return *this;
  }

  domain::Call& operator*() { return call_; }
  domain::Call* operator->() { return &call_; }

 private:
  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }
  std::deque<std::string> texts_;
  domain::Call call_;
  bool has_peer_ = false;
};

inline CallBuilder a_call() { return {}; }

}  // namespace funcgate::test
