function options = listen_options(n, given)
  % What listen and collect take, as a Listening wants it.
  options = radiod.internal.options(struct('n', n, 'timeout', Inf, 'after', '', 'last', 0), given);
  if options.last > 0 && ~isempty(options.after)
    error('radiod:argument', 'after and last are two ways to begin: give one');
  end
  options.past = false;
  options.bulk = false;
end
