// The one bound of fields of a query, a form or a multipart body that no configuration can raise: limits.query_fields and
// limits.form_fields end here. Who splits a text behind the check of those limits asks for as many.
#pragma once

#include <cstddef>

namespace funcgate::base {

inline constexpr std::size_t kFieldsMax = 100'000;

}  // namespace funcgate::base
