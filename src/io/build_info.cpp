#include "io/build_info.h"

#include "commit.h"

namespace cosformer::io {

const char* version() {
  return COSFORMER_VERSION;
}

const char* commit() {
  return COSFORMER_COMMIT;
}

}  // namespace cosformer::io
