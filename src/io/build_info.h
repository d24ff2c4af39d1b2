#pragma once

namespace cosformer::io {

/// The project's version, such as "0.1.0".
const char* version();

/// The commit that was checked out when the program was built, "unknown" outside of a git checkout;
/// "-changed" follows where files differed from it.
const char* commit();

}  // namespace cosformer::io
