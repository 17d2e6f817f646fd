// KeyWorld: the smallest directory in which an API key is accepted, to be changed where a test needs it.
#pragma once

#include <string>

#include "domain/directory.h"
#include "support/fake_clock.h"

namespace funcgate::test {

struct KeyWorld {
  domain::User mia, other;
  domain::UserGroup group;
  domain::Role role;
  domain::ApiKey key;

  KeyWorld() {
    role.id = "rol-aaaaaaaaaaaaaaaa";
    role.name = "GenerateAPIToken";
    role.privileges = {domain::Privilege::UseApiKey};
    group.id = "grp-aaaaaaaaaaaaaaaa";
    group.name = "Programs of the whole department";
    group.roles = {role.id};
    mia.id = "usr-aaaaaaaaaaaaaaaa";
    mia.login = "mia";
    mia.groups = {group.id};
    other.id = "usr-bbbbbbbbbbbbbbbb";
    other.login = "otto";
    other.groups = {group.id};
    key.id = "key-aaaaaaaaaaaaaaaa";
    key.user_id = mia.id;
    key.name = "Call API";
    key.meta.created_at_ms = kStartMs - 60'000;
  }
  domain::DirectoryPtr finish() const {
    domain::Directory::Builder builder;
    builder.add(group);
    builder.add(role);
    builder.add(mia);
    builder.add(other);
    builder.add(key);
    return builder.finish();
  }
};

template <class T>
domain::IdentityChange put(domain::IdentityKind kind, const T& value) {
  domain::IdentityChange change;
  change.kind = kind;
  change.id = value.id;
  change.value = value;
  return change;
}

}  // namespace funcgate::test
