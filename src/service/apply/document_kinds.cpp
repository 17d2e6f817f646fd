#include "service/apply/document_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace funcgate::service {

using domain::ResourceKind;

std::vector<std::string_view> document_kind_names() {
  std::vector<std::string_view> names;
  for (const ResourceKind kind : kDocumentKinds) names.push_back(domain::resource_kind_name(kind));
  return names;
}

base::Result<ResourceKind> parse_document_kind(std::string_view name) {
  const auto* found = std::find_if(std::begin(kDocumentKinds), std::end(kDocumentKinds),
                                   [&](ResourceKind kind) { return domain::resource_kind_name(kind) == name; });
  if (found != std::end(kDocumentKinds)) return *found;
  const std::vector<std::string_view> names = document_kind_names();
  const std::string_view meant = base::nearest(name, names);
  const std::string remedy =
      meant.empty() ? fmt::format("the kinds are {}", fmt::join(names, ", ")) : fmt::format("did you mean \"{}\"?", meant);
  return base::Error{
      base::Code::InvalidArgument, fmt::format("no document has the kind \"{}\"; {}", base::printable(name, 60), remedy), {}};
}

base::Result<std::set<ResourceKind>> parse_document_kinds(std::string_view names) {
  std::set<ResourceKind> kinds;
  for (const std::string_view name : base::split(names, ',')) {
    TRY(const ResourceKind kind, parse_document_kind(name));
    kinds.insert(kind);
  }
  return kinds;
}

}  // namespace funcgate::service
