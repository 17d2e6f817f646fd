// Canonical arguments: one text for all ways to spell the arguments of a call, under which its kept result is found.
//
// The order of members and of fields of different names does not matter, values keep their types, and no two different lists of
// arguments give one text. Thread-safety: pure functions. What most calls send (a flat object, a query without escapes) is put in
// order where it stands and allocates nothing but what `out` needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/invocation.h"

namespace funcgate::service {

// Appends the text of what the function would be given. `parts`: of a multipart body.
void append_canonical_arguments(std::string& out, domain::ArgumentForm form, const domain::VisibleRequest& request,
                                const std::vector<domain::FormPart>& parts);
// The pieces of it: a JSON text, and a query or urlencoded body. What cannot be read is marked and stays as it is: it is
// refused later.
void append_canonical_json(std::string& out, std::string_view text);
void append_canonical_fields(std::string& out, std::string_view query);

}  // namespace funcgate::service
