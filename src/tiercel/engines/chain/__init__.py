"""From the best rung down to the one that cannot fail, inside one deadline."""
