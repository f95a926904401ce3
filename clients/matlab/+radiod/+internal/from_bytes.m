function text = from_bytes(bytes)
  % The text that is UTF-8 in characters 0 to 255. Octave's texts are that.
  if exist('OCTAVE_VERSION', 'builtin')
    text = bytes;
  else
    text = native2unicode(uint8(bytes), 'UTF-8');
  end
end
