#pragma once

namespace cosformer::io {

/// The project's version, such as "0.1.0".
const char* version();

/// The commit that was checked out when the build was configured, "unknown" outside of a git checkout.
const char* commit();

}  // namespace cosformer::io
