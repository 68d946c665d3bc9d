# A login shell of root's leaves out what other users have: whoever installs a game wants to start it.
case :$PATH: in
  *:/usr/games:*) ;;
  *) PATH=$PATH:/usr/games ;;
esac
