// KeystoreControl: what `funcgate keystore` does, in the running server (over the control socket) or on a stopped data directory:
// one request and one answer as JSON, with the audit event of every change. No answer holds a value.
//
// Thread-safety: any thread; blocks, for some 10 ms per secret of the file.
#pragma once

#include <functional>
#include <string>

#include "app/keystore_access.h"
#include "base/json.h"
#include "keystore/keystore.h"
#include "service/admin/identity_service.h"
#include "service/admin/sealed_texts.h"

namespace funcgate::app {

class KeystoreControl {
 public:
  // `sealed_counts`: how many stored texts are sealed under which kid.
  KeystoreControl(keystore::Keystore& keystore, KeystoreAccess& access, service::IdentityService& identity,
                  std::function<base::Result<service::SealedCounts>()> sealed_counts)
      : keystore_(keystore), access_(access), identity_(identity), sealed_counts_(std::move(sealed_counts)) {}

  // {"do": "list"}                              → {"entries": [{alias, bytes, kid, purpose, status, createdAt}]}
  // {"do": "check"}                             → {"ok", "lines": ["…"]}: every purpose, every retired sealing key
  // {"do": "set", "alias", "value": Base64}, {"do": "set", "alias", "generate": true}, {"do": "delete", "alias"},
  // {"do": "rotate", "alias", "overlapMs"?}, {"do": "passwd", "password": Base64}, {"do": "reload"} → {"text": "…"}
  // InvalidArgument, NotFound, FailedPrecondition, Conflict, Unavailable: one line for the operator.
  base::Result<base::json::object> run(const base::json::object& request, const domain::Actor& actor);

  // Retired sealing keys that nothing is sealed with any more leave the keystore.
  base::Status drop_unused_sealing_keys();
  void record(std::string event, std::string_view alias, std::string summary, const domain::Actor& actor,
              domain::AuditOutcome outcome = domain::AuditOutcome::Ok);

 private:
  using Answer = base::Result<base::json::object>;
  base::json::object list() const;
  Answer check(const domain::Actor& actor);
  Answer set(const base::json::object& request, const std::string& alias, const domain::Actor& actor);
  Answer remove(const std::string& alias, const domain::Actor& actor);
  Answer rotate(const base::json::object& request, const std::string& alias, const domain::Actor& actor);
  Answer change_password(const base::json::object& request, const domain::Actor& actor);
  base::Status may_replace(const std::string& alias);
  base::Status may_remove(const std::string& alias);
  base::Result<std::size_t> sealed_with(const std::string& kid);

  keystore::Keystore& keystore_;
  KeystoreAccess& access_;
  service::IdentityService& identity_;
  const std::function<base::Result<service::SealedCounts>()> sealed_counts_;
};

}  // namespace funcgate::app
