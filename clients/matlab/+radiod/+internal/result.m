function value = result(told)
  % The result that an answer to a call has. Raises: radiod:timeout, radiod:refused.
  args = {};
  if isfield(told, 'args')
    args = told.args;
  end
  if isfield(told, 'error')
    said = sprintf('%s: %s', told.error, radiod.internal.shown(args));
    if strcmp(told.error, 'wamp.error.timeout')
      error('radiod:timeout', '%s', said);
    end
    error('radiod:refused', '%s', said);
  end
  value = [];
  if isfield(told, 'kwargs') && ~isempty(fieldnames(told.kwargs))
    value = struct('args', {args}, 'kwargs', told.kwargs);
  elseif iscell(args) && numel(args) == 1
    value = args{1};
  elseif ~isempty(args)
    value = args;
  end
end
