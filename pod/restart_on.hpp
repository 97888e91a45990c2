/// `tank/restart-on`: pods that begin anew when a document they name has changed. Pure.
#pragma once

#include "config/pod.hpp"
#include "pod/documents.hpp"

#include <set>

namespace tank {

/// Documents that say something else in `now`, are new there, or gone.
std::set<document_id> changed_documents(const documents& before, const documents& now);

/// The pod's annotation names one of them, in its own namespace.
bool restarts_on(const config::pod& pod, const std::set<document_id>& changed);

} // namespace tank
