// CallerPresence: whether whoever made a call is still there to read its answer.
#pragma once

namespace funcgate::domain {

class CallerPresence {
 public:
  virtual ~CallerPresence() = default;
  // On the connection's io thread, while its call runs; does not wait. True: nobody will read the answer. A caller who only ends
  // his sending side is still there; one who closed looks the same until he is sent something, which the first look does, so
  // that a later look knows.
  virtual bool gone() = 0;
};

}  // namespace funcgate::domain
