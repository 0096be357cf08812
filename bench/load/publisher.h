// The sending side: puts marked messages on the wire by WebSocket or HTTP. Counts nothing that arrives.
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include <stdbool.h>

#include "options.h"

// Call once all connections are ready.
void publisher_open(const Options *options);
// Reads and drops replies; ends the process when an HTTP publish was refused.
void publisher_drain(void);
// False while as many HTTP requests as -c allows are unanswered.
bool publisher_can_send(void);
void publisher_send(void);

#endif
