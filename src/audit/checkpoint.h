// Checkpoints: the heads of all streams at one moment, signed, so that nobody who can write to the database can cut off or
// rewrite what came before without it showing.
//
// A checkpoint is one line of canonical JSON (RFC 8785):
//   {"checkpoint":{"heads":[{"hash","node","seq","stream"}…],"instance","time","version":1},"key","signature"}
// `signature` is Ed25519 over the bytes of the member `checkpoint` as they stand there; key and signature are base64url.
// Thread-safety: any thread; what takes stores or paths blocks. Two processes do not append to one file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/trail_events.h"
#include "base/clock.h"
#include "base/secret.h"
#include "crypto/signature.h"
#include "domain/ports/change_store.h"
#include "domain/ports/identity_store.h"

namespace funcgate::audit {

inline constexpr std::string_view kAuditKeyAlias = "funcgate-audit-key";  // of the keystore

struct Checkpoint {
  std::string instance;
  base::WallMs time_ms = 0;
  std::vector<StreamHead> heads;

  // The head of `stream` as something to verify against; nullopt: none. Of several nodes, `node`.
  std::optional<ChainAnchor> anchor(std::string_view stream, std::string_view node = {}) const;
};

// The key that the secret under kAuditKeyAlias stands for. InvalidArgument: less than 32 bytes.
base::Result<crypto::SigningKey> checkpoint_key(const base::SecretString& secret);

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::SigningKey& key);
// InvalidArgument: not a checkpoint; DataLoss: its signature is not one of `key`.
base::Result<Checkpoint> read_checkpoint(std::string_view line, const crypto::PublicKey& key);

// Appends the line and waits until it is on disk. A line that a crash had cut is ended first.
base::Status append_checkpoint(const std::string& path, std::string_view line);
// All checkpoints of such a file, in its order; lines that a crash had cut are passed over. The newest alone would not do: who
// cuts the chain off lets the next ones be written over what is left. NotFound: no file, or none in it; DataLoss or
// InvalidArgument: one that is not signed with `key`; the message names its line.
base::Result<std::vector<Checkpoint>> read_checkpoints(const std::string& path, const crypto::PublicKey& key);

struct CheckpointParts {
  domain::IdentityStore& store;
  domain::ChangeStore& changes;
  const base::Clock& clock;
  const crypto::SigningKey& key;
  std::string instance;
};
// Anchors the heads of the calls streams in the admin stream as an audit.checkpoint event, then signs these heads and that of the
// admin stream with the event in it. Returns the line.
base::Result<std::string> take_checkpoint(const CheckpointParts& parts, const std::vector<StreamHead>& calls,
                                          const domain::Actor& actor);

// The head of a calls stream that the newest audit.checkpoint anchored, for verify(); nullopt: none did.
base::Result<std::optional<ChainAnchor>> anchored_head(domain::IdentityStore& store, std::string_view node);

}  // namespace funcgate::audit
